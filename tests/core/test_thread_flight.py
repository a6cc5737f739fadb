"""Single flight for threads: each of its rules, and many rounds with real threads."""

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


class Callers:
    """Threads that all call one function, and what each of them got: a value or an error."""

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

    def wait(self) -> "Callers":
        for thread in self.threads:
            thread.join(10)
            assert not thread.is_alive()
        return self


class GatedLoad:
    """A load that waits until it may end: until so many `waiters` wait for it, or, without that, for `may_end`."""

    def __init__(self, flight: ThreadFlight, answer: Any, waiters: int = 0) -> None:
        self.flight, self.answer, self.waiters = flight, answer, waiters
        self.began, self.may_end = threading.Event(), threading.Event()
        self.loads = 0

    def __call__(self, key: Any) -> Any:
        self.loads += 1
        self.began.set()
        if self.waiters:
            call = self.flight._calls[key]
            while len(call.finished._cond._waiters) < self.waiters:  # type: ignore[attr-defined]
                threading.Event().wait(0.0005)
            del call  # it will hold the answer
        else:
            assert self.may_end.wait(10)
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


@pytest.mark.parametrize("answer", ["value", None], ids=repr)
def test_callers_at_once_cause_one_load(answer: str | None) -> None:
    """All get its answer, even if that is None, and nothing is left."""
    flight = ThreadFlight()
    load = GatedLoad(flight, answer, waiters=THREADS - 1)
    callers = Callers(lambda: flight.do(1, load)).wait()
    assert (load.loads, callers.values, callers.errors, len(flight)) == (1, [answer] * THREADS, [], 0)


def test_a_failed_load_gives_every_waiter_its_error_and_is_forgotten() -> None:
    """Each waiter gets that error object once, and the next call loads again."""
    flight, error = ThreadFlight(), ConnectionError("down")
    load = GatedLoad(flight, error, waiters=THREADS - 1)
    callers = Callers(lambda: flight.do(1, load)).wait()
    assert (load.loads, callers.errors) == (1, [error] * THREADS)
    assert flight.do(1, lambda key: "value") == "value"


def test_the_traceback_of_an_error_does_not_grow_with_its_waiters() -> None:
    """Each waiter raises the error with the load's traceback, not with those of the other waiters."""
    flight = ThreadFlight()
    load = GatedLoad(flight, ConnectionError("down"), waiters=THREADS - 1)
    callers = Callers(lambda: flight.do(1, load)).wait()
    assert len(traceback.extract_tb(callers.errors[0].__traceback__)) < 10


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_in_the_load_releases_the_waiters(interrupt: type[BaseException]) -> None:
    """The caller that runs the load gets the interrupt; the others get `LoadAbandoned`."""
    flight = ThreadFlight()
    load = GatedLoad(flight, interrupt(), waiters=THREADS - 1)
    callers = Callers(lambda: flight.do(1, load)).wait()
    kinds = sorted(type(error).__name__ for error in callers.errors)
    assert kinds == sorted([interrupt.__name__] + ["LoadAbandoned"] * (THREADS - 1))
    assert len(flight) == 0
    causes = [error.__cause__ for error in callers.errors if isinstance(error, LoadAbandoned)]
    assert causes == [load.answer] * (THREADS - 1)


@pytest.mark.parametrize("waiters", [0, 1, 3])
def test_an_error_is_freed_with_its_last_reference(waiters: int) -> None:
    """No reference cycle keeps it, and the frames in its traceback, until the garbage collector runs."""

    class Down(Exception):
        pass

    def call() -> bool:
        try:
            flight.do(1, load)
        except Down:
            return True
        return False

    flight = ThreadFlight()
    load = GatedLoad(flight, Down(), waiters=waiters)
    load.may_end.set()
    gc.collect()
    gc.disable()
    try:
        callers = Callers(call, count=waiters + 1).wait()
        freed = weakref.ref(load.answer)
        load.answer = None
        assert (callers.values, freed()) == ([True] * (waiters + 1), None)
    finally:
        gc.enable()


def test_an_error_carries_nothing_from_one_caller_to_another() -> None:
    """Callers that handle an error of their own when they ask leave it out. What the load was handling stays."""
    flight, own, contexts = ThreadFlight(), KeyError("of the load"), list[Any]()

    def fail(key: int) -> None:
        try:
            raise own
        except KeyError:
            gated(key)

    def call() -> None:
        try:
            raise ValueError("a secret of a caller")
        except ValueError:
            try:
                flight.do(1, fail)
            except ConnectionError as error:
                contexts.append((error.__context__, own.__context__))

    gated = GatedLoad(flight, ConnectionError("down"), waiters=4)
    Callers(call, count=5).wait()
    assert contexts == [(own, None)] * 5


def test_an_interrupt_carries_nothing_of_its_caller_to_the_waiters() -> None:
    """It is the cause of their error. What the caller that ran the load was handling is none of theirs."""
    flight, contexts = ThreadFlight(), list[Any]()

    def call() -> None:
        try:
            raise ValueError("a secret of a caller")
        except ValueError:
            try:
                flight.do(1, load)
            except LoadAbandoned as error:
                contexts.append((error.__context__, error.__cause__ and error.__cause__.__context__))
            except KeyboardInterrupt as interrupt:
                contexts.append((interrupt.__context__, None))

    load = GatedLoad(flight, KeyboardInterrupt(), waiters=4)
    Callers(call, count=5).wait()
    assert contexts == [(None, None)] * 5


def test_an_interrupt_of_a_waiter_ends_its_wait_only() -> None:
    """The load goes on, the other waiters get its answer, and nothing is left."""
    flight = ThreadFlight()
    load = GatedLoad(flight, "value")
    callers = Callers(lambda: flight.do(1, load), count=1)
    load.began.wait(10)
    call = flight._calls[1]
    finished = call.finished

    class Interrupted(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            raise KeyboardInterrupt

    call.finished = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        flight.do(1, load)
    call.finished = finished
    assert 1 in flight
    others = Callers(lambda: flight.do(1, load), count=3)
    load.may_end.set()
    assert [callers.wait().values, others.wait().values, load.loads, len(flight)] == [["value"], ["value"] * 3, 1, 0]


def test_a_call_takes_the_lock_twice_and_has_one_event() -> None:
    """Once to find the load in flight or to add its own, and once to remove it."""
    flight, taken = ThreadFlight(), list[str]()

    class CountedLock:
        def __enter__(self) -> None:
            taken.append("lock")

        def __exit__(self, *_: object) -> None:
            pass

    flight._lock = CountedLock()  # type: ignore[assignment]
    assert flight.do(1, lambda key: "value") == "value"
    assert taken == ["lock"] * 2


def test_loads_of_different_keys_do_not_wait_for_each_other() -> None:
    """No lock is held while a load runs."""
    flight = ThreadFlight()
    slow = GatedLoad(flight, "slow")
    callers = Callers(lambda: flight.do(1, slow), count=1)
    slow.began.wait(10)
    assert flight.do(2, lambda key: "quick") == "quick"
    slow.may_end.set()
    assert callers.wait().values == ["slow"]


def test_after_a_forget_no_caller_joins_the_old_load() -> None:
    """The next caller starts a new load, and when the old one ends it leaves the new one alone."""
    flight = ThreadFlight()
    old, new = GatedLoad(flight, "old"), GatedLoad(flight, "new")
    early = Callers(lambda: flight.do(1, old), count=1)
    old.began.wait(10)
    flight.forget(1)
    late = Callers(lambda: flight.do(1, new), count=1)
    new.began.wait(10)
    old.may_end.set()
    assert early.wait().values == ["old"]
    assert 1 in flight
    new.may_end.set()
    assert late.wait().values == ["new"]
    assert len(flight) == 0


@pytest.mark.parametrize("by_way_of", [1, 2])
def test_a_load_that_asks_for_its_own_key_gets_an_error(by_way_of: int) -> None:
    """Otherwise it would wait for itself. The second key is loaded in the same thread."""
    flight = ThreadFlight()

    def load(key: int) -> Any:
        return flight.do(by_way_of if key == 1 else 1, load)

    with pytest.raises(RuntimeError, match="asks for 1 itself"):
        flight.do(1, load)
    assert len(flight) == 0


def test_a_flight_without_loads_is_true() -> None:
    """`if flight:` asks whether there is a flight, not whether it has loads."""
    assert bool(ThreadFlight())


def test_the_key_is_not_kept() -> None:
    """It is free after an answer, and after an error."""

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


class Round:
    """Sixteen threads call for three keys and delete some in between. Loads of key 1 answer None, those of key 2 fail.

    `forgets`  how often each key was forgotten, which is the version that a load of it reads
    `wrong`    a sentence for each rule that was broken
    """

    def __init__(self, seed: int) -> None:
        chance = Random(seed)
        self.flight = ThreadFlight()
        self.lock = threading.Lock()
        self.loading = [0, 0, 0]
        self.forgets = [0, 0, 0]
        self.wrong: list[str] = []
        self.start = threading.Barrier(THREADS)
        self.plans = [[(chance.randrange(3), chance.random()) for _ in range(4)] for _ in range(THREADS)]

    def load(self, key: int) -> int | None:
        version = self.forgets[key]
        with self.lock:
            self.loading[key] += 1
            if self.loading[key] > 1 + self.forgets[key]:
                self.wrong.append("two loads at once")
        threading.Event().wait(0.0002)
        with self.lock:
            self.loading[key] -= 1
        if key == 2:
            raise ConnectionError
        return None if key == 1 else version

    def work(self, number: int) -> None:
        self.start.wait(10)
        for key, kind in self.plans[number]:
            if kind < 0.15:
                self.forgets[key] += 1
                self.flight.forget(key)
            before = self.forgets[key]
            try:
                value = self.flight.do(key, self.load)
            except ConnectionError:
                if key != 2:
                    self.wrong.append("the error of another key")
                continue
            if (key == 1) != (value is None) or key == 2 or (value is not None and value < before - THREADS):
                self.wrong.append(f"{value} for {key}")

    def run(self) -> None:
        threads = [threading.Thread(target=self.work, args=(number,)) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
            assert not thread.is_alive()
        assert self.wrong == []
        assert len(self.flight) == 0


@pytest.mark.parametrize("rounds", [30, pytest.param(300, marks=pytest.mark.long)])
def test_no_round_of_threads_breaks_a_rule(rounds: int) -> None:
    """One load for each key, no value that is too old, no thread that hangs, and nothing left in the table."""
    for seed in range(rounds):
        Round(seed).run()


def test_an_abandoned_load_is_one_of_our_errors() -> None:
    """`except CacheError` catches it, and no waiter can take it for an interrupt of its own."""
    assert LoadAbandoned.__mro__[1].__name__ == "CacheError"
