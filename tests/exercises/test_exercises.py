"""The exercises: the solution passes, plausible wrong answers get their own words, and nothing hangs or raises."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import math
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from cachelab import lab
from cachelab.lab.exercises import checking
from cachelab.lab.sandbox import run_sandboxed

Clock = Callable[[], float]


class Right:
    """A TTL cache as the exercises ask for; the wrong ones below differ from it in one point each."""

    def __init__(self, load: Any, ttl: float, clock: Clock) -> None:
        self.load, self.ttl, self.clock = load, ttl, clock
        self.entries: dict[int, tuple[Any, float]] = {}

    async def get(self, key: int) -> Any:
        if key in self.entries and self.clock() < self.entries[key][1]:
            return self.entries[key][0]
        value = await self.load(key)
        self.entries[key] = (value, self.clock() + self.ttl)
        return value

    async def delete(self, key: int) -> None:
        self.entries.pop(key, None)


class WriteOnly(Right):
    async def get(self, key: int) -> Any:
        value = await self.load(key)
        self.entries[key] = (value, self.clock() + self.ttl)
        return value


class Forever(Right):
    async def get(self, key: int) -> Any:
        if key not in self.entries:
            self.entries[key] = (await self.load(key), 0.0)
        return self.entries[key][0]


class Sliding(Right):
    async def get(self, key: int) -> Any:
        value = await super().get(key)
        self.entries[key] = (value, self.clock() + self.ttl)
        return value


class FlushesAll(Right):
    async def get(self, key: int) -> Any:
        if key in self.entries and self.clock() >= self.entries[key][1]:
            self.entries.clear()
        return await super().get(key)


class NoneIsNothing(Right):
    async def get(self, key: int) -> Any:
        value, expires = self.entries.get(key, (None, 0.0))
        if value is not None and self.clock() < expires:
            return value
        self.entries.pop(key, None)
        return await super().get(key)


class RemembersErrors(Right):
    async def get(self, key: int) -> Any:
        try:
            return await super().get(key)
        except ConnectionError as error:
            self.entries[key] = (str(error), self.clock() + self.ttl)
            raise


class DeleteRaises(Right):
    async def delete(self, key: int) -> None:
        del self.entries[key]


class DeletesNothing(Right):
    async def delete(self, key: int) -> None:
        pass


class Milliseconds(Right):
    def __init__(self, load: Any, ttl: float, clock: Clock) -> None:
        super().__init__(load, ttl / 1000, clock)


class TooManyKeysAreDropped(Right):
    async def get(self, key: int) -> Any:
        if len(self.entries) > 2:
            self.entries.clear()
        return await super().get(key)


async def open_loop(requests: list[lab.Request], db: lab.SlowDatabase) -> list[float]:
    clock = asyncio.get_running_loop().time

    async def one(request: lab.Request) -> float:
        await asyncio.sleep(request.when - clock())
        start = clock()
        await db.fetch_user(request.key)
        return clock() - start

    return await asyncio.gather(*(one(request) for request in requests))


async def one_by_one(requests: list[lab.Request], db: lab.SlowDatabase) -> list[float]:
    clock, latencies = asyncio.get_running_loop().time, []
    for request in requests:
        start = clock()
        await db.fetch_user(request.key)
        latencies.append(clock() - start)
    return latencies


async def all_at_once(requests: list[lab.Request], db: lab.SlowDatabase) -> list[float]:
    return await open_loop([request._replace(when=0.0) for request in requests], db)


async def service_time_only(requests: list[lab.Request], db: lab.SlowDatabase) -> list[float]:
    await open_loop(requests, db)
    return [db.service_s for _ in requests]


async def on_the_wall_clock(requests: list[lab.Request], db: lab.SlowDatabase) -> list[float]:
    async def one(request: lab.Request) -> float:
        await asyncio.sleep(request.when)
        start = time.perf_counter()
        await db.fetch_user(request.key)
        return time.perf_counter() - start

    return await asyncio.gather(*(one(request) for request in requests))


async def in_milliseconds(requests: list[lab.Request], db: lab.SlowDatabase) -> list[float]:
    return [1000 * seconds for seconds in await open_loop(requests, db)]


async def too_few(requests: list[lab.Request], db: lab.SlowDatabase) -> list[float]:
    return (await open_loop(requests, db))[:-1]


async def nothing(w: lab.World) -> None: ...


async def only_deletes(w: lab.World) -> None:
    await w.delete()


async def only_writes(w: lab.World) -> None:
    await w.write()


async def write_then_delete(w: lab.World) -> None:
    await w.write()
    await w.delete()


async def delete_then_write(w: lab.World) -> None:
    await w.delete()
    await w.write()


async def write_then_set(w: lab.World) -> None:
    await w.fill(await w.write())


async def double_delete(w: lab.World) -> None:
    await w.delete()
    await w.write()
    await w.delete()


async def four_steps(w: lab.World) -> None:
    for _ in range(2):
        await w.write()
        await w.delete()


async def for_ever(w: lab.World) -> None:
    while True:
        await w.write()


async def mended(db: Any, cache: Any, user_id: int, email: str) -> None:
    await db.update_user(user_id, email)
    await cache.delete(user_id)


async def copied(db: Any, cache: Any, user_id: int, email: str) -> None:
    await cache.delete(user_id)
    await db.update_user(user_id, email)


async def tries_again(db: Any, cache: Any, user_id: int, email: str) -> None:
    await db.update_user(user_id, email)
    for attempt in range(3):
        try:
            await cache.delete(user_id)
        except Exception:
            if attempt == 2:
                raise
        else:
            return


async def silent(db: Any, cache: Any, user_id: int, email: str) -> None:
    await db.update_user(user_id, email)
    with contextlib.suppress(Exception):
        await cache.delete(user_id)


async def other_error(db: Any, cache: Any, user_id: int, email: str) -> None:
    try:
        await mended(db, cache, user_id, email)
    except Exception:
        raise KeyError(user_id) from None


async def tells_nobody(db: Any, cache: Any, user_id: int, email: str) -> None:
    await db.update_user(user_id, email)


async def writes_nothing(db: Any, cache: Any, user_id: int, email: str) -> None:
    await cache.delete(user_id)


def enough(rate: float, service_s: float) -> int:
    return math.floor(rate * service_s) + 1


ANSWERS: list[tuple[str, Any, str]] = [
    ("0.1", enough, "Correct."),
    ("0.1", lambda rate, service_s: ..., "Nothing to check yet"),
    ("0.1", lambda rate, service_s: rate * service_s + 0.5, "Connections come whole"),
    ("0.1", lambda rate, service_s: math.ceil(rate / service_s), "Check the units"),
    ("0.1", lambda rate, service_s: math.ceil(round(rate * service_s, 9)), "Exactly enough is not enough"),
    ("0.1", lambda rate, service_s: enough(rate, service_s) + 2, "pays for connections it does not need"),
    ("0.1", lambda rate, service_s: max(1, enough(rate, service_s) - 2), "The capacity is below the load"),
    ("0.2", open_loop, "Correct."),
    ("0.2", one_by_one, "a closed one hides|coordinated omission"),
    ("0.2", all_at_once, "You send all requests at once"),
    ("0.2", service_time_only, "Start the watch when the user asks"),
    ("0.2", on_the_wall_clock, "on the clock of the simulation"),
    ("0.2", in_milliseconds, "the latencies are not those of the users"),
    ("0.2", too_few, "one latency for each request"),
    ("1.1", Right, "Correct."),
    ("1.1", ..., "Nothing to check yet"),
    ("1.1", Sliding, "Each read makes the entry young again"),
    ("1.1", WriteOnly, "It never answers from the cache"),
    ("1.1", Forever, "Nothing expires"),
    ("1.1", FlushesAll, "When one key expires, others leave with it"),
    ("1.1", TooManyKeysAreDropped, "I have no name for this one"),
    ("1.2", Right, "Correct."),
    ("1.2", NoneIsNothing, "The origin answered None"),
    ("1.2", RemembersErrors, "An error is no value"),
    ("1.2", DeletesNothing, "After a delete the next read has to load"),
    ("1.2", DeleteRaises, "Your code raised KeyError: 42, at line"),
    ("1.2", Milliseconds, "It never answers from the cache"),
    ("1.3", {"ttl": 6, "max_entries": 300}, "Correct."),
    ("1.3", {"ttl": 20, "max_entries": 300}, "the users read old addresses"),
    ("1.3", {"ttl": 3, "max_entries": 300}, "Too short"),
    ("1.3", {"ttl": 6, "max_entries": 150}, "Too small"),
    ("1.3", {"ttl": 6, "max_entries": 1_000}, "More memory than the budget"),
    ("1.3", {"ttl": 6_000, "max_entries": 300}, "A TTL is in seconds"),
    ("1.3", {"ttl": -1, "max_entries": 300}, "Your code raised ValueError: ttl must be more than 0"),
    ("1.3", {"ttl": "6", "max_entries": 300}, "numbers"),
    ("1.3", 6, "Nothing to check yet"),
    ("2.1", write_then_delete, "Correct."),
    ("2.1", nothing, "Nothing to check yet"),
    ("2.1", only_deletes, "The writer has to write"),
    ("2.1", only_writes, "Nobody told the cache"),
    ("2.1", delete_then_write, "A delete before the last write is undone"),
    ("2.1", write_then_set, "the one who writes last need not be the one who fills last"),
    ("2.1", double_delete, "The first delete makes the cache cold"),
    ("2.1", for_ever, "took more steps"),
    ("2.1", four_steps, "At most three steps"),
    ("2.2", mended, "Correct."),
    ("2.2", ..., "Nothing to check yet"),
    ("2.2", tries_again, "Correct."),
    ("2.2", copied, "A reader who comes between the delete and the write"),
    ("2.2", silent, "The delete failed, and update_user said nothing"),
    ("2.2", other_error, "Let the cache's own error through"),
    ("2.2", tells_nobody, "Nobody told the cache"),
    ("2.2", writes_nothing, "It has to write to the database"),
]


@pytest.mark.parametrize(("name", "answer", "words"), ANSWERS, ids=[f"{n}-{i}" for i, (n, _, _) in enumerate(ANSWERS)])
def test_each_answer_gets_its_own_words(name: str, answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The solution is told what was right, every wrong answer what is wrong with it."""
    lab.check(name, answer)
    verdict = " ".join(capsys.readouterr().out.split())
    assert any(part in verdict for part in words.split("|")), verdict
    assert verdict.startswith("Correct.") == (words == "Correct.")


@pytest.mark.parametrize("name", ["0.1", "0.2", "1.1", "1.2", "1.3", "2.1", "2.2"])
def test_a_wrong_answer_is_shown_where_it_goes_wrong(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Three plausible wrong answers to one exercise get three different replies, each with its counter-example."""
    wrong = [answer for n, answer, words in ANSWERS if n == name and words[:7] not in ("Correct", "Nothing")][:3]
    replies = set()
    for answer in wrong:
        lab.check(name, answer)
        reply = capsys.readouterr().out
        assert "\n\n" in reply, f"no counter-example in {reply}"
        replies.add(reply.partition("\n\n")[0])
    assert len(replies) == 3


def _block_for_ever() -> str:
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()
    return ""


def _spin() -> str:
    while True:
        pass


def _swallow_everything() -> str:
    for _ in range(3):
        try:
            _spin()
        except BaseException:
            continue
    return ""


class Awaits(Right):
    async def get(self, key: int) -> Any:
        await asyncio.get_running_loop().create_future()


class Sleeps(Right):
    async def get(self, key: int) -> Any:
        time.sleep(3)  # noqa: ASYNC251 - the mistake that the check must survive


class Spins(Right):
    async def get(self, key: int) -> Any:
        while True:
            await asyncio.sleep(1)


class Yields(Right):
    async def get(self, key: int) -> Any:
        while True:
            await asyncio.sleep(0)


class Exits(Right):
    async def get(self, key: int) -> Any:
        raise SystemExit


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Awaits, "waits for something that never comes. Nothing can happen any more: every task waits and no timer "),
        (Awaits, "in get, line "),
        (Sleeps, "It was at line "),
        (Spins, "did not come back"),
        (Spins, "It was at line "),
        (Yields, "It was at line "),
        (Exits, "Your code raised SystemExit"),
        (7, "Your code raised TypeError"),
    ],
)
def test_a_check_ends_in_a_sentence_whatever_the_code_does(
    answer: Any, words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An endless loop, a deadlock, a blocking call and an exit each end in a sentence with the line, and no noise."""
    monkeypatch.setattr(checking, "run_sandboxed", partial(run_sandboxed, seconds=0.3))
    lab.check("1.2", answer)
    gc.collect()
    said = capsys.readouterr()
    assert words in " ".join(said.out.split())
    assert not said.err


@pytest.mark.parametrize("work", [_spin, _swallow_everything])
def test_an_endless_loop_is_ended_not_left_behind(work: Callable[[], str]) -> None:
    """After the verdict no thread goes on burning the processor, also if it catches everything a few times."""
    before = set(threading.enumerate())
    with pytest.raises(Exception, match=r"line \d+: `(pass|while True:)`"):
        run_sandboxed(work, seconds=0.2)
    assert not [thread for thread in threading.enumerate() if thread not in before]


def test_a_blocked_lock_is_left_behind() -> None:
    """A lock that is never released cannot be ended from outside; the caller gets its answer all the same."""
    with pytest.raises(Exception, match=r"lock\.acquire"):
        run_sandboxed(_block_for_ever, seconds=0.2)


def test_an_unknown_exercise_lists_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong name gets a sentence with the names there are."""
    lab.check("1.flow", Right)
    assert "chapter 1 has 1.1, 1.2 and 1.3" in capsys.readouterr().out


def test_hints_come_in_steps(capsys: pytest.CaptureFixture[str]) -> None:
    """Hints are numbered, and asking for more than there are gives the last."""
    lab.hint("1.1", 1)
    lab.hint("1.1", 9)
    hints = capsys.readouterr().out
    assert [hints.count(f"Hint {step} of 3") for step in (1, 2, 3)] == [1, 0, 1]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (..., "You made no guess"),
        (150, "within a tenth"),
        (80, "too little"),
        (400, "too much"),
        ("80", "plain number"),
    ],
)
def test_a_prediction_is_held_against_the_truth(answer: Any, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """No guess, a good one, one too low, one too high and one that is no number are each answered in words."""
    lab.predict("knee", "How many?", unit="requests/s", answer=answer)
    lab.reveal("knee", 160, unit="requests/s", too_low="too little", too_high="too much")
    assert words in capsys.readouterr().out
