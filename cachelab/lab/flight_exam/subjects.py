"""What the single-flight exam can examine: anything with `get(key, load)`, and the libraries that happen to be here.

`make()` builds a fresh subject: an object with `get(key, load)`, async or not, and `delete(key)` if it has one; or just
such a function. What takes its loader when it is built, like a `Cache` or a decorator, is wrapped by `with_loader`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from typing import Any

__all__ = ["Subject", "installed_subjects", "with_loader"]

Make = Callable[[], Any]
BOUND, TTL_S = 10_000, 3_600


@dataclass
class Subject:
    """Two verbs of something that has other names for them: `Subject(flight.do, flight.forget)`.

    `threaded`      its `get` is for threads; None: look and see
    `real_time`     it cannot live on a loop in virtual time
    `keys_as_text`  it keeps strings made of the keys
    """

    get: Callable[[Any, Callable[[Any], Any]], Any]
    delete: Callable[[Any], Any] | None = None
    threaded: bool | None = None
    real_time: bool = False
    keys_as_text: bool = False


def with_loader(build: Callable[[Callable[[Any], Any]], Any], *, threaded: bool = False, **more: Any) -> Make:
    """A `make` for what takes its loader when it is built: `with_loader(lambda load: Cache(store, load, ttl=60))`.

    `build(load)` returns something with `get(key)`, and perhaps `delete(key)`, or a function of the key.
    """

    def make() -> Subject:
        given: list[Callable[[Any], Any]] = []

        async def load(key: Any) -> Any:
            return await given[-1](key)

        def load_now(key: Any) -> Any:
            return given[-1](key)

        built = build(load_now if threaded else load)
        ask = getattr(built, "get", built)

        async def get(key: Any, load: Callable[[Any], Any]) -> Any:
            given[:] = [load]
            return await ask(key)

        def get_now(key: Any, load: Callable[[Any], Any]) -> Any:
            given[:] = [load]
            return ask(key)

        delete = getattr(built, "delete", None)
        return Subject(get_now if threaded else get, delete, threaded=threaded, **more)

    return make


@dataclass
class _Bound:
    """A decorated function and the way to make it forget a key."""

    get: Callable[[Any], Any]
    delete: Callable[[Any], Any]


def _async_lru(load: Callable[[Any], Any]) -> Any:
    from async_lru import alru_cache

    cached: Any = alru_cache(maxsize=BOUND, ttl=TTL_S)(load)
    return _Bound(cached, cached.cache_invalidate)


def _cashews(load: Callable[[Any], Any]) -> Any:
    from cashews import Cache

    cache = Cache()
    cache.setup("mem://", size=BOUND)
    cached = cache(ttl=TTL_S, key="{key}", protected=True)(load)
    return _Bound(cached, lambda key: cache.delete(f"{key}"))


def _aiocache(load: Callable[[Any], Any]) -> Any:
    from aiocache import SimpleMemoryCache, cached_stampede

    function: Any = cached_stampede(ttl=TTL_S, cache=SimpleMemoryCache, lease=60, key_builder=lambda _, key: str(key))(
        load
    )
    return _Bound(function, lambda key: function.cache.delete(str(key)))


def _moka_py(load: Callable[[Any], Any]) -> Any:
    from moka_py import cached

    function: Any = cached(maxsize=BOUND, ttl=TTL_S, wait_concurrent=True)(load)
    return _Bound(function, lambda key: function.cache_clear())  # it has no way to forget one key


def _cachebox(load: Callable[[Any], Any]) -> Any:
    import cachebox

    function: Any = cachebox.cached(cachebox.TTLCache(BOUND, TTL_S))(load)
    return _Bound(function, lambda key: function.cache.pop(cachebox.make_key(key), None))


def _cachetools(load: Callable[[Any], Any]) -> Any:
    from cachetools import TTLCache, cached

    condition = threading.Condition()
    function: Any = cached(TTLCache(BOUND, TTL_S), condition=condition)(load)

    def delete(key: Any) -> None:
        with condition:
            function.cache.pop(function.cache_key(key), None)

    return _Bound(function, delete)


def installed_subjects() -> dict[str, Make]:
    """The caching libraries that are installed here, each by name and version, as the exam can take them.

    Each is used as its documentation shows: the decorator on a loader, with its protection against stampedes turned on.
    """
    makes = {
        "async-lru": with_loader(_async_lru),
        "cashews": with_loader(_cashews, keys_as_text=True),
        "aiocache": with_loader(_aiocache, keys_as_text=True),
        "moka-py": with_loader(_moka_py),
        "cachebox": with_loader(_cachebox),
        "cachetools": with_loader(_cachetools, threaded=True),
    }
    found = {}
    for name, make in makes.items():
        try:
            import_module(name.replace("-", "_"))
            found[f"{name} {version(name)}"] = make
        except Exception:  # not here, or not for this Python: then it is not examined
            continue
    return found
