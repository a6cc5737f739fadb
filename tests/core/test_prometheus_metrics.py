"""The listener that counts for Prometheus: its totals, and that Prometheus can read them."""

import asyncio

from prometheus_client.parser import text_string_to_metric_families

from cachelab import Cache, Flight, Freshness, MemoryStore, PrometheusMetrics, Record
from tests.support.fakes import Origin, in_virtual_time


def totals(metrics: PrometheusMetrics) -> dict[tuple[str, ...], float]:
    """Each total under its name and the values of its labels, as Prometheus's own parser reads the text."""
    families = text_string_to_metric_families(metrics.text())
    return {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}


@in_virtual_time
async def test_what_happens_in_two_caches_is_counted_by_their_names() -> None:
    """Outcomes, loads, their seconds and how stale answers were, exactly."""
    metrics, origin = PrometheusMetrics(), Origin(load_time_s=1.0)
    freshness = Freshness(stale_for=30.0)
    l2 = Cache(MemoryStore(10), origin, ttl=60, flight=Flight(), name="L2", listen=metrics)
    l1 = Cache(MemoryStore(10), l2, ttl=5, flight=Flight(), freshness=freshness, name="L1", listen=metrics)
    await asyncio.gather(l1.get(1), l1.get(1))  # until second 1: a miss, and one that joins it
    await l1.get(1)  # a hit
    await asyncio.sleep(7.5)
    await l1.get(1)  # stale by 2.5 s; the refresh is a hit in L2
    await asyncio.sleep(0.1)
    assert totals(metrics) == {
        ("cachelab_gets_total", "L1", "collapsed", "value"): 1,
        ("cachelab_gets_total", "L1", "hit", "value"): 1,
        ("cachelab_gets_total", "L1", "miss", "value"): 1,
        ("cachelab_gets_total", "L1", "stale", "value"): 1,
        ("cachelab_gets_total", "L2", "hit", "value"): 1,
        ("cachelab_gets_total", "L2", "miss", "value"): 1,
        ("cachelab_stale_seconds_total", "L1", "stale"): 2.5,
        ("cachelab_facts_total", "L1", "load"): 2,
        ("cachelab_facts_total", "L1", "loaded"): 2,
        ("cachelab_facts_total", "L1", "fill"): 2,
        ("cachelab_facts_total", "L2", "load"): 1,
        ("cachelab_facts_total", "L2", "loaded"): 1,
        ("cachelab_facts_total", "L2", "fill"): 1,
        ("cachelab_load_seconds_total", "L1", "loaded"): 1.0,
        ("cachelab_load_seconds_total", "L2", "loaded"): 1.0,
    }


def test_a_type_stands_once_before_its_lines() -> None:
    """The format asks for it; before the first event the text is empty."""
    metrics = PrometheusMetrics()
    assert metrics.text() == ""
    metrics(Record("L1", 1, "hit", "value"))
    metrics(Record("L1", 1, "miss", "absent"))
    assert metrics.text() == (
        "# TYPE cachelab_gets_total counter\n"
        'cachelab_gets_total{cache="L1",outcome="hit",result="value"} 1\n'
        'cachelab_gets_total{cache="L1",outcome="miss",result="absent"} 1\n'
    )


def test_any_name_of_a_cache_can_be_written() -> None:
    """Quotes, backslashes and line ends are escaped as the format has it."""
    metrics, name = PrometheusMetrics(), 'a "b" \\n\n c'
    metrics(Record(name, 1, "hit", "value"))
    assert totals(metrics) == {("cachelab_gets_total", name, "hit", "value"): 1}
