"""The breakers of libraries that are installed here, each as its documentation shows it, for the breaker exam.

None of them can be given a clock, so they have to be examined in real time. Where a library lets its user say what is
no failure, mistakes in the program and refusals are named there.
"""

from __future__ import annotations

import datetime
from collections.abc import Awaitable, Callable
from importlib import import_module
from importlib.metadata import version
from typing import Any, TypeAlias

from cachelab.events import Refused
from cachelab.lab.breakers.stage import Build
from cachelab.lab.flight_exam.stage import OriginDown

__all__ = ["installed_breakers"]

Load: TypeAlias = Callable[[Any], Awaitable[Any]]
NO_FAILURE: list[Any] = [AttributeError, Refused]


def _purgatory(load: Load, failures: int, open_s: float) -> Load:
    from purgatory import AsyncCircuitBreakerFactory

    breakers = AsyncCircuitBreakerFactory(default_threshold=failures, default_ttl=open_s, exclude=NO_FAILURE)

    async def guarded(key: Any) -> Any:
        async with await breakers.get_breaker("origin"):
            return await load(key)

    return guarded


def _aiobreaker(load: Load, failures: int, open_s: float) -> Load:
    from aiobreaker import CircuitBreaker

    pause = datetime.timedelta(seconds=open_s)
    breaker = CircuitBreaker(fail_max=failures, timeout_duration=pause, exclude=NO_FAILURE)

    async def guarded(key: Any) -> Any:
        return await breaker.call_async(load, key)

    return guarded


def _circuitbreaker(load: Load, failures: int, open_s: float) -> Any:
    from circuitbreaker import circuit

    def is_failure(kind: type[BaseException], error: BaseException) -> bool:
        return not issubclass(kind, tuple(NO_FAILURE))

    return circuit(failure_threshold=failures, recovery_timeout=open_s, expected_exception=is_failure)(load)


def _hyx(load: Any, failures: int, open_s: float) -> Any:
    from hyx.circuitbreaker import consecutive_breaker

    counted = (OriginDown, TimeoutError)  # it is told what is a failure, not what is none
    return consecutive_breaker(
        exceptions=counted, failure_threshold=failures, recovery_time_secs=open_s, recovery_threshold=1
    )(load)


def installed_breakers() -> dict[str, Build]:
    """The libraries that are installed here, by name and version, each with what builds its breaker."""
    builds = {
        ("purgatory", "purgatory-circuitbreaker"): _purgatory,
        ("aiobreaker", "aiobreaker"): _aiobreaker,
        ("circuitbreaker", "circuitbreaker"): _circuitbreaker,
        ("hyx", "hyx"): _hyx,
    }
    found: dict[str, Build] = {}
    for (module, package), build in builds.items():
        try:
            import_module(module)
            found[f"{module} {version(package)}"] = build
        except Exception:  # it is not installed, or does not work on this Python: then it is not examined
            continue
    return found
