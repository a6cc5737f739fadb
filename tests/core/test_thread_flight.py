"""Single flight for threads: each rule of it, and many rounds with real threads."""

import gc
import threading
import traceback
import weakref
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from cachelab import LoadAbandoned, ThreadFlight

THREADS = 16


class Crowd:
    """Threads that call one function together, and what each got: a value or an error."""

    def __init__(self, call: Callable[[], Any], count: int = THREADS) -> None:
        self.values: list[Any] = []
        self.errors: list[BaseException] = []
        self.threads = [threading.Thread(target=self._one, args=(call,)) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def _one(self, call: Callable[[], Any]) -> None:
        try:
            self.values.append(call())
        except BaseException as error:
            self.errors.append(error)

    def wait(self) -> "Crowd":
        for thread in self.threads:
            thread.join(10)
            assert not thread.is_alive()
        return self


class Gated:
    """A load that waits until it may end: by default until `waiters` callers wait for it."""

    def __init__(self, flight: ThreadFlight, answer: Any, waiters: int = 0) -> None:
        self.flight, self.answer, self.waiters = flight, answer, waiters
        self.began, self.may_end = threading.Event(), threading.Event()
        self.loads = 0

    def __call__(self, key: Any) -> Any:
        self.loads += 1
        self.began.set()
        if self.waiters:
            call = self.flight._calls[key]
            while len(call.landed._cond._waiters) < self.waiters:  # type: ignore[attr-defined]
                threading.Event().wait(0.0005)
        else:
            assert self.may_end.wait(10)
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


@pytest.mark.parametrize("answer", ["value", None], ids=repr)
def test_callers_at_once_cause_one_load(answer: str | None) -> None:
    """All get its answer, also if that is None, and nothing is left."""
    flight = ThreadFlight()
    load = Gated(flight, answer, waiters=THREADS - 1)
    crowd = Crowd(lambda: flight.do(1, load)).wait()
    assert (load.loads, crowd.values, crowd.errors, len(flight)) == (1, [answer] * THREADS, [], 0)


def test_a_failed_load_gives_every_waiter_its_error_and_is_forgotten() -> None:
    """The very error, once each, and the next call loads again."""
    flight, error = ThreadFlight(), ConnectionError("down")
    load = Gated(flight, error, waiters=THREADS - 1)
    crowd = Crowd(lambda: flight.do(1, load)).wait()
    assert (load.loads, crowd.errors) == (1, [error] * THREADS)
    assert flight.do(1, lambda key: "value") == "value"


def test_an_errors_traceback_does_not_grow_with_its_waiters() -> None:
    """Each raises it with the traceback it came with, and not with everybody's."""
    flight = ThreadFlight()
    load = Gated(flight, ConnectionError("down"), waiters=THREADS - 1)
    crowd = Crowd(lambda: flight.do(1, load)).wait()
    assert len(traceback.extract_tb(crowd.errors[0].__traceback__)) < 10


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_in_the_load_releases_the_waiters(interrupt: type[BaseException]) -> None:
    """It reaches the caller who runs the load; the others are told that there is no answer."""
    flight = ThreadFlight()
    load = Gated(flight, interrupt(), waiters=THREADS - 1)
    crowd = Crowd(lambda: flight.do(1, load)).wait()
    kinds = sorted(type(error).__name__ for error in crowd.errors)
    assert kinds == sorted([interrupt.__name__] + ["LoadAbandoned"] * (THREADS - 1))
    assert len(flight) == 0


def test_loads_of_different_keys_do_not_wait_for_each_other() -> None:
    """No lock is held while a load runs."""
    flight = ThreadFlight()
    slow = Gated(flight, "slow")
    crowd = Crowd(lambda: flight.do(1, slow), count=1)
    slow.began.wait(10)
    assert flight.do(2, lambda key: "quick") == "quick"
    slow.may_end.set()
    assert crowd.wait().values == ["slow"]


def test_after_a_forget_nobody_joins_the_old_load() -> None:
    """The next caller starts a new one, and the old one's end leaves that alone."""
    flight = ThreadFlight()
    old, new = Gated(flight, "old"), Gated(flight, "new")
    early = Crowd(lambda: flight.do(1, old), count=1)
    old.began.wait(10)
    flight.forget(1)
    late = Crowd(lambda: flight.do(1, new), count=1)
    new.began.wait(10)
    old.may_end.set()
    assert early.wait().values == ["old"]
    assert 1 in flight
    new.may_end.set()
    assert late.wait().values == ["new"]
    assert len(flight) == 0


def test_a_load_that_asks_for_its_own_key_is_told_so() -> None:
    """It would wait for itself."""
    flight = ThreadFlight()
    with pytest.raises(RuntimeError, match="asks for 1 itself"):
        flight.do(1, lambda key: flight.do(1, str))
    assert len(flight) == 0


def test_nothing_keeps_the_key() -> None:
    """Neither after an answer nor after an error."""

    class Key:
        pass

    flight, keys = ThreadFlight(), [Key(), Key()]
    watched = [weakref.ref(key) for key in keys]
    flight.do(keys[0], id)
    with pytest.raises(ZeroDivisionError):
        flight.do(keys[1], lambda key: 1 / 0)
    keys.clear()
    gc.collect()
    assert [key() for key in watched] == [None, None]


def one_round(seed: int) -> None:
    """16 threads, three keys, loads that fail or answer None, and deletes in between: nobody gets what is too old."""
    chance = Random(seed)
    flight = ThreadFlight()
    lock = threading.Lock()
    flying: dict[int, int] = {}
    forgets = [0, 0, 0]
    start = threading.Barrier(THREADS)
    broken: list[str] = []
    plans = [[(chance.randrange(3), chance.random()) for _ in range(4)] for _ in range(THREADS)]

    def load(key: int) -> int | None:
        seen = forgets[key]
        with lock:
            flying[key] = flying.get(key, 0) + 1
            if flying[key] > 1 + forgets[key]:
                broken.append("two loads at once")
        threading.Event().wait(0.0002)
        with lock:
            flying[key] -= 1
        if key == 2:
            raise ConnectionError
        return None if key == 1 else seen

    def work(number: int) -> None:
        start.wait(10)
        for key, kind in plans[number]:
            if kind < 0.15:
                forgets[key] += 1
                flight.forget(key)
            before = forgets[key]
            try:
                value = flight.do(key, load)
            except ConnectionError:
                if key != 2:
                    broken.append("somebody else's error")
                continue
            if (key == 1) != (value is None) or key == 2 or (value is not None and value < before - THREADS):
                broken.append(f"{value} for {key}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert broken == []
    assert len(flight) == 0


@pytest.mark.parametrize("rounds", [30, pytest.param(300, marks=pytest.mark.long)])
def test_no_round_of_threads_breaks_a_rule(rounds: int) -> None:
    """Sixteen threads, over and over: one load a key, no value that is too old, nobody who hangs, nothing left."""
    for seed in range(rounds):
        one_round(seed)


def test_an_abandoned_load_is_one_of_our_errors() -> None:
    """`except CacheError` catches it, and no waiter mistakes it for an interrupt of his own."""
    assert LoadAbandoned.__mro__[1].__name__ == "CacheError"
