"""OpenTelemetry metrics: a listener that passes on what caches and stores report to OpenTelemetry's API.

Problem: a service that already reports by OpenTelemetry should not need a second way for the numbers of its caches.
Idea: a listener with four instruments, which adds each event to the right one. What becomes of the numbers is decided
    by the application, which sets up OpenTelemetry's SDK; without it, the API drops them.
Guarantee: each `get` and each fact is counted once, with the name of its cache as an attribute. One listener serves any
    number of caches.
Not guaranteed: that the numbers arrive. The SDK exports them in the background.
Cost: a call of the API for each event, about a microsecond; several with the SDK.
Source: OpenTelemetry's Metrics API; the units follow its semantic conventions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachelab.entry import checked_instance
from cachelab.events import Fact, Record

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter

__all__ = ["OpenTelemetryMetrics"]


class OpenTelemetryMetrics:
    """Give it to caches and stores as `listen=`. `meter` is the application's, by default that of the name "cachelab".

    `cachelab.gets`           a counter, by cache, outcome and result
    `cachelab.stale.age`      a histogram in seconds, by cache and outcome: for how long the answer had not been fresh
    `cachelab.facts`          a counter, by cache and kind of `Fact`
    `cachelab.load.duration`  a histogram in seconds, by cache and kind

    Raises ImportError if opentelemetry-api is not installed, and TypeError for what is no meter.
    """

    def __init__(self, meter: Meter | None = None) -> None:
        try:
            from opentelemetry.metrics import Meter, get_meter
        except ModuleNotFoundError as error:
            sentence = "OpenTelemetryMetrics needs opentelemetry, which is not installed: pip install opentelemetry-api"
            raise ImportError(sentence, name="opentelemetry") from error
        if meter is None:
            meter = get_meter("cachelab")
        checked_instance("meter", meter, Meter)
        self._gets = meter.create_counter("cachelab.gets", description="Gets that have ended")
        self._stale_age = meter.create_histogram("cachelab.stale.age", "s", "For how long answers had not been fresh")
        self._facts = meter.create_counter("cachelab.facts", description="What else happened in caches and stores")
        self._load_duration = meter.create_histogram("cachelab.load.duration", "s", "How long loads took")

    def __call__(self, event: Record | Fact) -> None:
        """Pass on one event."""
        if isinstance(event, Record):
            self._gets.add(1, {"cache": event.cache, "outcome": event.outcome, "result": event.result})
            if event.stale_s:
                self._stale_age.record(event.stale_s, {"cache": event.cache, "outcome": event.outcome})
        else:
            attributes = {"cache": event.cache, "fact": event.kind}
            self._facts.add(1, attributes)
            if event.seconds is not None:
                self._load_duration.record(event.seconds, attributes)
