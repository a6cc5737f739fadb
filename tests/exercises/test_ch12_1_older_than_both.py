"""Exercise 12.1: right answers, and wrong ones with their mistakes."""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any, ClassVar

import pytest

from cachelab import Cache, Entry, Flight, MemoryStore, RedisStore
from tests.support.exercise_checks import assert_evidence_follows, assert_verdict, each_answer


class Flawed:
    """The class that the exercise shows; those below mend it in part."""

    def __init__(self, redis: Any, load: Any, clock: Any) -> None:
        self.redis, self.load, self.clock = redis, load, clock
        self.l1: dict[Any, Any] = {}

    async def get(self, key: Any) -> Any:
        value, ends = self.l1.get(key, (None, 0))
        if self.clock() < ends:
            return value
        value, life = await self.fetch(f"user:{key}", key)
        self.l1[key] = value, self.clock() + life
        return value

    async def fetch(self, name: str, key: Any) -> tuple[Any, float]:
        """The value, and for how long L1 keeps it."""
        value = await self.redis.get(name)
        if value is None:
            value = await self.filled(name, key)
        return value, 30

    async def filled(self, name: str, key: Any) -> Any:
        value = await self.load(key)
        await self.redis.set(name, value, ex=60)
        return value


class LifeFirst(Flawed):
    async def fetch(self, name: str, key: Any) -> tuple[Any, float]:
        left_ms = await self.redis.pttl(name)
        value = await self.redis.get(name)
        if value is None:
            return await self.filled(name, key), 30
        return value, min(30, left_ms / 1_000)


class FromBeforeItAsked(Flawed):
    """The solution: its copy ends a little early and never late."""

    async def get(self, key: Any) -> Any:
        value, ends = self.l1.get(key, (None, 0))
        if self.clock() < ends:
            return value
        asked, name = self.clock(), f"user:{key}"
        left_ms = await self.redis.pttl(name)
        value = await self.redis.get(name)
        if value is None:
            value = await self.load(key)
            asked, left_ms = self.clock(), 60_000
            await self.redis.set(name, value, ex=60)
        self.l1[key] = value, asked + min(30, left_ms / 1_000)
        return value


class InOnePacket(Flawed):
    async def fetch(self, name: str, key: Any) -> tuple[Any, float]:
        pipe = self.redis.pipeline()
        pipe.pttl(name)
        pipe.get(name)
        left_ms, value = await pipe.execute()
        if value is None:
            return await self.filled(name, key), 30
        return value, min(30, left_ms / 1_000)


class AtTheSameTime(Flawed):
    async def fetch(self, name: str, key: Any) -> tuple[Any, float]:
        left_ms, value = await asyncio.gather(self.redis.pttl(name), self.redis.get(name))
        if value is None:
            return await self.filled(name, key), 30
        return value, min(30, left_ms / 1_000)


class WholeSecondsWithCare(Flawed):
    """TTL is rounded, so a second less is safe."""

    async def fetch(self, name: str, key: Any) -> tuple[Any, float]:
        left = await self.redis.ttl(name)
        value = await self.redis.get(name)
        if value is None:
            return await self.filled(name, key), 30
        return value, min(30, left - 1)


class WithItsMoment(Flawed):
    """What travels is the moment of the load. (On several machines their clocks would have to agree.)"""

    async def fetch(self, name: str, key: Any) -> tuple[Any, float]:
        data = await self.redis.get(name)
        if data is None:
            value, loaded_at = await self.load(key), self.clock()
            await self.redis.set(name, json.dumps([value, loaded_at]), px=60_000)
        else:
            value, loaded_at = json.loads(data)
        return value, min(30, loaded_at + 60 - self.clock())


class ByALuaScript(Flawed):
    async def fetch(self, name: str, key: Any) -> tuple[Any, float]:
        script = "return {redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1])}"
        value, left_ms = await self.redis.eval(script, 1, name)
        if value is None:
            return await self.filled(name, key), 30
        return value, min(30, left_ms / 1_000)


class ByTimers(Flawed):
    """A copy is removed by a timer, so it needs no moment of its end."""

    async def get(self, key: Any) -> Any:
        if key not in self.l1:
            name, loop = f"user:{key}", asyncio.get_running_loop()
            left_ms = await self.redis.pttl(name)
            value = await self.redis.get(name)
            if value is None:
                value, left_ms = await self.filled(name, key), 60_000
            self.l1[key] = value
            loop.call_later(min(30, left_ms / 1_000), self.l1.pop, key)
            return value
        return self.l1[key]


class ByThePackage:
    """Two caches, one over the other: an entry takes its age along."""

    def __init__(self, redis: Any, load: Any, clock: Any) -> None:
        options = redis.connection_pool.connection_kwargs | {"decode_responses": False}
        redis.connection_pool.connection_kwargs = options
        l2 = Cache(RedisStore(redis, str, namespace="user", version=1), load, ttl=60, flight=Flight())
        self.l1 = Cache(MemoryStore(100), l2, ttl=30, flight=Flight())

    async def get(self, key: Any) -> Any:
        return await self.l1.get(key)


class InAMemoryStore(LifeFirst):
    def __init__(self, redis: Any, load: Any, clock: Any) -> None:
        super().__init__(redis, load, clock)
        self.store: MemoryStore[Any] = MemoryStore(100)

    async def get(self, key: Any) -> Any:
        entry: Any = await self.store.get(key)
        if not entry:
            value, life = await self.fetch(f"user:{key}", key)
            entry = Entry(value, self.clock() + life)
            await self.store.set(key, entry)
        return entry.value


class ShorterL1(Flawed):
    async def fetch(self, name: str, key: Any) -> tuple[Any, float]:
        value, _ = await super().fetch(name, key)
        return value, 15


class MillisecondsAsSeconds(Flawed):
    async def fetch(self, name: str, key: Any) -> tuple[Any, float]:
        left = await self.redis.pttl(name)
        value, _ = await super().fetch(name, key)
        return value, min(30, left) if left > 0 else 30


class Rounded(Flawed):
    async def fetch(self, name: str, key: Any) -> tuple[Any, float]:
        left = await self.redis.ttl(name)
        value = await self.redis.get(name)
        if value is None:
            return await self.filled(name, key), 30
        return value, min(30, left)


class AllThatIsLeft(Flawed):
    """Without the TTL of L1."""

    async def fetch(self, name: str, key: Any) -> tuple[Any, float]:
        left_ms = await self.redis.pttl(name)
        value = await self.redis.get(name)
        if value is None:
            return await self.filled(name, key), 60
        return value, left_ms / 1_000


class ForgetsTheLoaded(Flawed):
    """After a load, what Redis said before is taken for the life: it was -2."""

    async def fetch(self, name: str, key: Any) -> tuple[Any, float]:
        left_ms = await self.redis.pttl(name)
        value, _ = await super().fetch(name, key)
        return value, min(30, left_ms / 1_000)


class NoL1(Flawed):
    async def fetch(self, name: str, key: Any) -> tuple[Any, float]:
        value, _ = await super().fetch(name, key)
        return value, 0


class ShorterL2(Flawed):
    """30 s and 30 s are 60 s."""

    async def filled(self, name: str, key: Any) -> Any:
        value = await self.load(key)
        await self.redis.set(name, value, ex=30)
        return value


class LivesLongerWhenRead(LifeFirst):
    async def fetch(self, name: str, key: Any) -> tuple[Any, float]:
        value, life = await super().fetch(name, key)
        await self.redis.expire(name, 60)
        return value, life


class WithoutATtl(LifeFirst):
    async def filled(self, name: str, key: Any) -> Any:
        value = await self.load(key)
        await self.redis.set(name, value)
        return value


class NothingInRedis(Flawed):
    async def fetch(self, name: str, key: Any) -> tuple[Any, float]:
        return await self.load(key), 30


class ForgetsToReturn(LifeFirst):
    async def get(self, key: Any) -> Any:
        await super().get(key)


class ForgetsToAwait(LifeFirst):
    async def get(self, key: Any) -> Any:
        return super().get(key)


class NotAsync(LifeFirst):
    def get(self, key: Any) -> Any:
        return "user_7@example.com"


class ReturnsBoth(LifeFirst):
    async def get(self, key: Any) -> Any:
        await super().get(key)
        return self.l1[key]


class OneDictForAll(LifeFirst):
    """L1 belongs to the class, so it outlives the objects, and all nodes share it."""

    ours: ClassVar[dict[Any, Any]] = {}

    def __init__(self, redis: Any, load: Any, clock: Any) -> None:
        super().__init__(redis, load, clock)
        self.l1 = self.ours


class Misspells(Flawed):
    async def fetch(self, name: str, key: Any) -> tuple[Any, float]:
        return await self.redis.get(name), min(30, self.life_left)  # type: ignore[attr-defined]


class Renamed:
    def __init__(self, redis: Any, load: Any, clock: Any) -> None: ...

    async def fetch(self, key: Any) -> Any: ...


class NeverEnds(LifeFirst):
    async def get(self, key: Any) -> Any:
        await asyncio.sleep(math.inf)


ANSWERS: list[tuple[Any, str]] = [
    (LifeFirst, "Correct."),
    (FromBeforeItAsked, "Correct."),
    (InOnePacket, "Correct."),
    (AtTheSameTime, "Correct."),
    (WholeSecondsWithCare, "Correct."),
    (WithItsMoment, "Correct."),
    (ByALuaScript, "Correct."),
    (ByTimers, "Correct."),
    (ByThePackage, "Correct."),
    (InAMemoryStore, "Correct."),
    (lambda redis, load, clock: LifeFirst(redis, load, clock), "Correct."),
    (Flawed, "L1 starts a new life for a value that has lived in Redis"),
    (ShorterL1, "Its age has to travel"),
    (MillisecondsAsSeconds, "PTTL gives milliseconds"),
    (Rounded, "TTL gives whole seconds, rounded"),
    (AllThatIsLeft, "L1 keeps this copy for longer than its own 30 s"),
    (ForgetsTheLoaded, "Redis was asked: L1 keeps a copy for 30 s"),
    (NoL1, "Redis was asked: L1 keeps a copy for 30 s"),
    (ShorterL2, "Redis has to keep a value for 60 s"),
    (LivesLongerWhenRead, "no read renews them"),
    (WithoutATtl, "in Redis without a TTL"),
    (NothingInRedis, "Redis has to keep a value for 60 s"),
    (ForgetsToReturn, "is a return missing?"),
    (ForgetsToAwait, "an await is missing"),
    (NotAsync, "get has to be async"),
    (ReturnsBoth, "get returns the address as a str"),
    (OneDictForAll, "is its dict one that all objects share?"),
    (NeverEnds, "Your code waits for something that never comes"),
    (Misspells, "has no attribute 'life_left', at line"),
    (Renamed, "Keep the name get"),
    (LifeFirst(None, None, None), "the class itself, without parentheses"),
    (..., "Nothing to check yet"),
]


@each_answer(ANSWERS, quick=3)
def test_each_answer_gets_its_own_words(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The right answers pass, and each wrong one is told its own mistake."""
    assert_verdict("12.1", answer, words, capsys)


@pytest.mark.long
def test_wrong_answers_come_with_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence about each wrong answer is followed by what happened."""
    assert_evidence_follows("12.1", ANSWERS, capsys)
