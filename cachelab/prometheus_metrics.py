"""Prometheus metrics: a listener that counts what caches and stores report, and writes it in Prometheus's text format.

Problem: a cache can be useless, or harmful, for days, and each answer is still right. Nobody sees it without numbers.
Idea: a listener adds up what it hears, by the name of the cache. A monitoring system asks for the totals every few
    seconds, and reckons rates from the differences.
Guarantee: each `get` and each fact is counted once, under the name of its cache. The totals only grow while the process
    lives, as Prometheus expects of a counter. One listener serves any number of caches.
Not guaranteed: anything about other processes. Each has totals of its own, so each has to be asked at an address of its
    own: a monitoring system that asks several by turns at one address sees totals that fall. What happens in several
    threads at once may be counted too low.
Cost: about a microsecond for each `get`. The number of lines does not depend on the number of keys: keys are no labels.
Source: the text format of Prometheus, version 0.0.4; the names follow its page "Metric and label naming".
"""

from __future__ import annotations

from collections import defaultdict
from itertools import groupby
from typing import Final

from cachelab.events import Fact, Record

__all__ = ["PrometheusMetrics"]

LABELS: Final = {
    "cachelab_gets_total": ("cache", "outcome", "result"),
    "cachelab_stale_seconds_total": ("cache", "outcome"),
    "cachelab_facts_total": ("cache", "fact"),
    "cachelab_load_seconds_total": ("cache", "fact"),
}


class PrometheusMetrics:
    """Give it to caches and stores as `listen=`, and answer a GET of /metrics with its `text()`.

    `cachelab_gets_total`           by cache, outcome (hit, stale, miss, collapsed) and result (value, absent, error)
    `cachelab_stale_seconds_total`  for how many seconds answers had not been fresh any more, by cache and outcome:
                                    divided by the stale gets it is their mean age beyond the TTL
    `cachelab_facts_total`          by cache and kind of `Fact`: load, loaded, load error, fill, store error, evicted …
    `cachelab_load_seconds_total`   seconds of the loads that have ended, by cache and kind: divided by the facts of
                                    this kind it is their mean

    `content_type` is what the answer's header Content-Type has to be.
    """

    content_type: Final = "text/plain; version=0.0.4; charset=utf-8"

    def __init__(self) -> None:
        self._totals: dict[tuple[str, ...], float] = defaultdict(int)

    def __call__(self, event: Record | Fact) -> None:
        """Count one event."""
        totals = self._totals
        if isinstance(event, Record):
            totals["cachelab_gets_total", event.cache, event.outcome, event.result] += 1
            if event.stale_s:
                totals["cachelab_stale_seconds_total", event.cache, event.outcome] += event.stale_s
        else:
            totals["cachelab_facts_total", event.cache, event.kind] += 1
            if event.seconds is not None:
                totals["cachelab_load_seconds_total", event.cache, event.kind] += event.seconds

    def text(self) -> str:
        """All totals, a line for each, in order of their names."""
        lines = []
        for name, totals in groupby(sorted(self._totals.items()), key=lambda total: total[0][0]):
            lines.append(f"# TYPE {name} counter")
            for (_, *values), total in totals:
                pairs = zip(LABELS[name], values, strict=True)
                labels = ",".join(f'{label}="{_escape(value)}"' for label, value in pairs)
                lines.append(f"{name}{{{labels}}} {total}")
        return "".join(f"{line}\n" for line in lines)


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
