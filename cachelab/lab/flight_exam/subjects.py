"""What the single-flight exam can examine: anything with `get(key, load)`, and the caching libraries installed here.

`make()` builds a fresh subject: an object with `get(key, load)`, async or not, and `delete(key)` if it has one; or just
the function `get`. A cache or a decorator that takes its loader when it is built is wrapped by `with_loader`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from typing import Any, TypeAlias

__all__ = ["Subject", "installed_subjects", "with_loader"]

Make: TypeAlias = Callable[[], Any]
Load: TypeAlias = Callable[[Any], Any]
MAX_ENTRIES, TTL_S = 10_000, 3_600


@dataclass
class Subject:
    """The two methods of an object that has other names for them: `Subject(flight.do, flight.forget)`.

    `threaded`      whether its `get` is for threads; with None, the exam finds that out
    `real_time`     whether it needs a loop in real time
    `keys_as_text`  whether it keeps strings made from the keys, instead of the keys
    """

    get: Callable[[Any, Load], Any]
    delete: Callable[[Any], Any] | None = None
    threaded: bool | None = None
    real_time: bool = False
    keys_as_text: bool = False


def with_loader(
    build: Callable[[Load], Any], *, threaded: bool = False, real_time: bool = False, keys_as_text: bool = False
) -> Make:
    """A `make` for what takes its loader when it is built: `with_loader(lambda load: Cache(store, load, ttl=60))`.

    `build(load)` returns an object with `get(key)`, and perhaps `delete(key)`, or a function of the key. The options
    are those of `Subject`.
    """

    def make() -> Subject:
        last_given: list[Load] = []

        async def load(key: Any) -> Any:
            return await last_given[-1](key)

        def load_in_thread(key: Any) -> Any:
            return last_given[-1](key)

        built = build(load_in_thread if threaded else load)
        get_key = getattr(built, "get", built)

        async def get(key: Any, load: Load) -> Any:
            last_given[:] = [load]
            return await get_key(key)

        def get_in_thread(key: Any, load: Load) -> Any:
            last_given[:] = [load]
            return get_key(key)

        delete = getattr(built, "delete", None)
        return Subject(get_in_thread if threaded else get, delete, threaded, real_time, keys_as_text)

    return make


@dataclass
class _Decorated:
    """A decorated function, and how to delete a key from its cache."""

    get: Callable[[Any], Any]
    delete: Callable[[Any], Any]


def _async_lru(load: Load) -> Any:
    from async_lru import alru_cache

    cached: Any = alru_cache(maxsize=MAX_ENTRIES, ttl=TTL_S)(load)
    return _Decorated(cached, cached.cache_invalidate)


def _cashews(load: Load) -> Any:
    from cashews import Cache

    cache = Cache()
    cache.setup("mem://", size=MAX_ENTRIES)
    cached = cache(ttl=TTL_S, key="{key}", protected=True)(load)
    return _Decorated(cached, lambda key: cache.delete(f"{key}"))


def _aiocache(load: Load) -> Any:
    from aiocache import SimpleMemoryCache, cached_stampede

    function: Any = cached_stampede(ttl=TTL_S, cache=SimpleMemoryCache, lease=60, key_builder=lambda _, key: str(key))(
        load
    )
    return _Decorated(function, lambda key: function.cache.delete(str(key)))


def _moka_py(load: Load) -> Any:
    from moka_py import cached

    function: Any = cached(maxsize=MAX_ENTRIES, ttl=TTL_S, wait_concurrent=True)(load)
    return _Decorated(function, lambda key: function.cache_clear())  # it cannot forget a single key


def _cachebox(load: Load) -> Any:
    import cachebox

    function: Any = cachebox.cached(cachebox.TTLCache(MAX_ENTRIES, TTL_S))(load)
    return _Decorated(function, lambda key: function.cache.pop(cachebox.make_key(key), None))


def _cachetools(load: Load) -> Any:
    from cachetools import TTLCache, cached

    condition = threading.Condition()
    function: Any = cached(TTLCache(MAX_ENTRIES, TTL_S), condition=condition)(load)

    def delete(key: Any) -> None:
        with condition:
            function.cache.pop(function.cache_key(key), None)

    return _Decorated(function, delete)


def installed_subjects() -> dict[str, Make]:
    """The caching libraries that are installed here: a `make` for each, by the library's name and version.

    Each is used as its documentation shows: as a decorator on a loader, with its protection against stampedes on.
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
        except Exception:  # it is not installed, or does not work on this Python: then it is not examined
            continue
    return found
