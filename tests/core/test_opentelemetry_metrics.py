"""The listener that passes events on to OpenTelemetry's API."""

from typing import Any

import pytest
from opentelemetry.metrics import Counter, Histogram, NoOpMeter

from cachelab import Fact, OpenTelemetryMetrics, Record

Noted = list[tuple[str, float, dict[str, Any]]]


class NotingMeter(NoOpMeter):
    """A meter whose instruments note what they are given: their name, the amount and the attributes."""

    def __init__(self) -> None:
        super().__init__("test")
        self.noted: Noted = []

    def create_counter(self, name: str, unit: str = "", description: str = "") -> Any:
        """A counter that notes."""
        return NotingCounter(name, self.noted)

    def create_histogram(self, name: str, unit: str = "", description: str = "", **_: Any) -> Any:
        """A histogram that notes. All of ours are in seconds."""
        assert unit == "s"
        return NotingHistogram(name, self.noted)


class NotingCounter(Counter):
    """Notes what is added."""

    def __init__(self, name: str, noted: Noted) -> None:
        self.name, self.noted = name, noted

    def add(self, amount: float, attributes: Any = None, context: Any = None) -> None:
        """Note it."""
        self.noted.append((self.name, amount, dict(attributes)))


class NotingHistogram(Histogram):
    """Notes what is recorded."""

    def __init__(self, name: str, noted: Noted) -> None:
        self.name, self.noted = name, noted

    def record(self, amount: float, attributes: Any = None, context: Any = None) -> None:
        """Note it."""
        self.noted.append((self.name, amount, dict(attributes)))


@pytest.mark.parametrize(
    ("event", "noted"),
    [
        (
            Record("L1", 7, "hit", "value"),
            [("cachelab.gets", 1, {"cache": "L1", "outcome": "hit", "result": "value"})],
        ),
        (
            Record("L1", 7, "stale", "value", 2.5),
            [
                ("cachelab.gets", 1, {"cache": "L1", "outcome": "stale", "result": "value"}),
                ("cachelab.stale.age", 2.5, {"cache": "L1", "outcome": "stale"}),
            ],
        ),
        (Fact("L2", 7, "store error", OSError()), [("cachelab.facts", 1, {"cache": "L2", "fact": "store error"})]),
        (
            Fact("L2", 7, "loaded", None, 0.5),
            [
                ("cachelab.facts", 1, {"cache": "L2", "fact": "loaded"}),
                ("cachelab.load.duration", 0.5, {"cache": "L2", "fact": "loaded"}),
            ],
        ),
    ],
    ids=["hit", "stale", "store error", "loaded"],
)
def test_each_event_is_passed_on_to_its_instruments(event: Record | Fact, noted: Noted) -> None:
    """With the name of its cache as an attribute, and never with its key."""
    meter = NotingMeter()
    OpenTelemetryMetrics(meter)(event)
    assert meter.noted == noted


def test_without_a_meter_and_an_sdk_nothing_happens() -> None:
    """The API takes the numbers and drops them."""
    OpenTelemetryMetrics()(Record("L1", 7, "hit", "value"))
