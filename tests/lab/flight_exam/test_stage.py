"""The loads that a script of the exam holds and releases."""

import threading

import pytest

from cachelab.lab.flight_exam.record import StepRecord
from cachelab.lab.flight_exam.stage import HeldLoads, OriginDown


def test_a_load_ends_with_the_version_that_it_read() -> None:
    """The script releases a load by its number, and lets another one fail."""
    record = StepRecord()
    loads = HeldLoads(record)
    events = [threading.Event(), threading.Event()]
    first, second = (loads.begin(event, version) for version, event in enumerate(events, 1))
    loads.release(second, error=OriginDown)
    assert [event.is_set() for event in events] == [False, True]
    with pytest.raises(OriginDown):
        loads.end(second, 2)
    assert loads.end(first, 1) == 1
    assert [step.did for step in record.steps] == ["begins, reads 1", "begins, reads 2", "fails", "ends with 1"]


def test_a_load_may_end_in_the_middle_of_another_ones_beginning() -> None:
    """Garbage collection can end a load that the subject has dropped at any moment, in any thread."""

    class Collected(StepRecord):
        def add(self, actor: str, did: str, count: int = 1) -> None:
            super().add(actor, did, count)
            if actor == "load 2":
                loads.end(1, 1)

    loads = HeldLoads(Collected())
    loads.begin(threading.Event(), 1)
    thread = threading.Thread(target=loads.begin, args=(threading.Event(), 1), daemon=True)
    thread.start()
    thread.join(5)
    assert not thread.is_alive()
    assert not loads.is_running(1)
