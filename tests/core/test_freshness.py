"""Freshness by itself: the moments it stamps on an entry, which draws ask for a refresh, and the laws that follow."""

import math
import re
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given, strategies as st

from cachelab.entry import ABSENT, Entry
from cachelab.freshness import EARLY_WINDOW, Freshness
from tests.support.fakes import PROPERTY

FOREVER = math.inf
MOMENTS = st.floats(-1e6, 1e6) | st.just(FOREVER)


def stamped(value: Any = "value", *, ttl: float = 60.0, load_time_s: float = 0.0, **options: Any) -> Entry[Any]:
    """The entry that is stored at second 100 for a load that has just ended with `value`, or with an `Entry`."""
    loaded = value if isinstance(value, Entry) else Entry(value, FOREVER)
    return Freshness(**options).stamp(loaded, 100.0, ttl, load_time_s)


@pytest.mark.parametrize("name", ["stale_for", "beta", "jitter"])
@pytest.mark.parametrize("value", [None, True, "5", timedelta(seconds=5), Decimal(0)], ids=repr)
def test_an_option_must_be_a_number(name: str, value: Any) -> None:
    """One sentence, when it is built, names the option and what was given."""
    with pytest.raises(TypeError, match=rf"^{name} must be a number \(int or float\), not {re.escape(repr(value))}\.$"):
        Freshness(**{name: value})


# The moments of an entry


@PROPERTY
@given(expires=MOMENTS, fresh_until=MOMENTS, refresh_from=MOMENTS)
def test_an_entry_keeps_its_moments_in_order(expires: float, fresh_until: float, refresh_from: float) -> None:
    """Whatever it is given, refresh_from is not after fresh_until, and fresh_until is not after expires."""
    entry = Entry("value", expires, fresh_until, refresh_from)
    assert entry.expires == expires
    assert entry.fresh_until == min(fresh_until, expires)
    assert entry.refresh_from == min(refresh_from, entry.fresh_until)


@pytest.mark.parametrize(("now", "remains"), [(0.0, 60.0), (59.5, 0.5), (60.0, 0.0), (70.0, 0.0)])
def test_an_entry_says_for_how_long_it_is_fresh(now: float, remains: float) -> None:
    """Until it is stale, and not until it expires. Without moments it is for ever."""
    assert Entry("value", 90.0, fresh_until=60.0).fresh_for(now) == remains
    assert Entry("value", math.inf).fresh_for(now) == math.inf


def test_an_entry_with_one_moment_has_all_three_there() -> None:
    """An entry with only a moment of expiry is fresh until then, and need not be refreshed before."""
    entry = Entry("value", 60.0)
    assert (entry.refresh_from, entry.fresh_until, entry.expires) == (60.0, 60.0, 60.0)


def test_how_long_a_load_took_makes_no_difference_between_entries() -> None:
    """Two entries with the same value and moments are equal."""
    assert Entry("value", 60.0, load_time_s=1.0) == Entry("value", 60.0, load_time_s=2.0)


# The stamp


def test_the_defaults_change_nothing() -> None:
    """However long the load took, an entry is fresh for its TTL, then gone, and is not refreshed early."""
    assert stamped(load_time_s=5.0) == Entry("value", 160.0)


def test_stale_for_comes_after_the_ttl() -> None:
    """`stale_for` lengthens an entry's lifetime, and not the time for which it is fresh."""
    assert stamped(stale_for=30.0) == Entry("value", 190.0, 160.0)


def test_an_infinite_stale_for_has_no_end() -> None:
    """With stale_for=inf an entry stays until the store evicts it, and is refreshed from the end of its TTL on."""
    assert stamped(stale_for=FOREVER) == Entry("value", FOREVER, 160.0)


@pytest.mark.parametrize(("ttl", "fresh_until"), [(60.0, 160.0), (FOREVER, FOREVER)])
def test_an_absence_is_never_stale(ttl: float, fresh_until: float) -> None:
    """An absence is gone when its own TTL has passed."""
    assert stamped(ABSENT, ttl=ttl, stale_for=30.0) == Entry(ABSENT, fresh_until)


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_the_first_draw_is_twenty_load_times_before_the_end(beta: float) -> None:
    """refresh_from = fresh_until − EARLY_WINDOW·δ·β, where EARLY_WINDOW is 20."""
    assert stamped(load_time_s=0.5, beta=beta).refresh_from == 160.0 - EARLY_WINDOW * 0.5 * beta


def test_the_stamp_remembers_how_long_the_load_took() -> None:
    """δ is in the entry, for the later question whether the entry should be refreshed."""
    assert stamped(load_time_s=0.5).load_time_s == 0.5


@PROPERTY
@given(u=st.floats(0.0, 1.0, exclude_max=True), jitter=st.floats(0.0, 1.0, exclude_max=True))
def test_jitter_stays_within_its_share_of_the_ttl(u: float, jitter: float) -> None:
    """Whatever is drawn, an entry is fresh for ttl·(1 ± j), which is never negative."""
    fresh_for = stamped(jitter=jitter, random=lambda: u).fresh_until - 100.0
    assert 60.0 * (1 - jitter) - 1e-9 <= fresh_for <= 60.0 * (1 + jitter) + 1e-9
    assert fresh_for >= 0


@pytest.mark.parametrize(("u", "fresh_for"), [(0.0, 54.0), (0.5, 60.0), (0.75, 63.0)])
def test_jitter_spreads_evenly(u: float, fresh_for: float) -> None:
    """An entry is fresh for ttl·(1 − j) if U = 0, for ttl if U = ½, and for almost ttl·(1 + j) if U is almost 1."""
    assert stamped(jitter=0.1, random=lambda: u).fresh_until == pytest.approx(100.0 + fresh_for)


def test_an_infinite_ttl_has_no_jitter() -> None:
    """A share of an infinite TTL is infinite."""
    assert stamped(ttl=FOREVER, jitter=0.5).fresh_until == FOREVER


@PROPERTY
@given(
    expires=st.floats(100.0, 400.0),
    fresh_for=st.floats(0.0, 300.0),
    stale_for=st.floats(0.0, 300.0),
    ttl=st.floats(0.1, 300.0),
    jitter=st.floats(0.0, 0.9),
    u=st.floats(0.0, 1.0, exclude_max=True),
)
def test_an_entry_is_no_better_than_it_is_below(
    expires: float, fresh_for: float, stale_for: float, ttl: float, jitter: float, u: float
) -> None:
    """What is stale in the cache below is not fresh here, and what is not served there is not served here."""
    below = Entry("value", expires, 100.0 + fresh_for)
    here = stamped(below, ttl=ttl, stale_for=stale_for, jitter=jitter, random=lambda: u)
    assert here.fresh_until <= below.fresh_until
    assert here.expires <= min(below.expires, below.fresh_until + stale_for)


# The draw


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("u", [0.0, 0.5, math.nextafter(1.0, 0.0)])
@pytest.mark.parametrize("now", [160.0, 161.0])
def test_every_reader_refreshes_a_stale_entry(beta: float, u: float, now: float) -> None:
    """From the instant at which the entry becomes stale, the draw makes no difference."""
    rule = Freshness(stale_for=30.0, beta=beta, random=lambda: u)
    assert rule.should_refresh(Entry("value", 190.0, 160.0, load_time_s=1.0), now)


@pytest.mark.parametrize("u", [0.0, 0.5, math.nextafter(1.0, 0.0)])
def test_without_beta_no_entry_is_refreshed_early(u: float) -> None:
    """With beta=0 an entry is not refreshed in its last fresh moment, whatever is drawn."""
    rule = Freshness(random=lambda: u)
    assert not rule.should_refresh(Entry("value", 160.0, load_time_s=1.0), math.nextafter(160.0, 0.0))


@pytest.mark.parametrize(("u", "refreshes"), [(0.0, False), (0.63, False), (0.64, True), (0.9, True)])
def test_one_load_time_before_the_end_a_draw_of_one_minus_one_over_e_refreshes(u: float, refreshes: bool) -> None:
    """With β = 1 and now = expiry − δ the rule is −ln(1 − U) ≥ 1, that is U ≥ 1 − 1/e = .632."""
    rule = Freshness(beta=1.0, random=lambda: u)
    assert rule.should_refresh(Entry("value", 160.0, load_time_s=2.0), 158.0) == refreshes


def test_a_draw_before_the_first_one_would_not_have_refreshed() -> None:
    """Not drawing before `refresh_from` loses the refresh of one read in e^20."""
    entry = stamped(load_time_s=1.0, beta=1.0)
    rule = Freshness(beta=1.0, random=lambda: 1 - 1.01 * math.exp(-EARLY_WINDOW))
    assert not rule.should_refresh(entry, entry.refresh_from)


# What is refused

REFUSED: list[dict[str, Any]] = [
    {"stale_for": -1.0},
    {"stale_for": math.nan},
    {"beta": -0.1},
    {"beta": FOREVER},
    {"beta": math.nan},
    {"jitter": -0.1},
    {"jitter": 1.0},
    {"jitter": math.nan},
]


@pytest.mark.parametrize("options", REFUSED, ids=str)
def test_a_bad_argument_is_refused_in_a_sentence(options: dict[str, Any]) -> None:
    """The sentence says what is allowed and what was given. It has no address in it, so it is the same in every run."""
    given_options = {"stale_for": 0.0, "beta": 0.0, "jitter": 0.0} | options
    with pytest.raises(ValueError, match="Freshness needs stale_for >= 0 seconds") as raised:
        Freshness(**options)
    shown = ", ".join(f"{name}={value!r}" for name, value in given_options.items())
    assert str(raised.value) == (
        f"Freshness needs stale_for >= 0 seconds, 0 <= beta < inf, 0 <= jitter < 1, not Freshness({shown})."
    )


# The law of XFetch: how many readers recompute

READS_PER_LOAD = 60.0  # λβδ: much more than 1
WINDOW = math.log(READS_PER_LOAD) + 5  # in units of βδ: one cycle in 150 would have a recomputation before it


def recomputations(rule: Freshness, chance: Random) -> int:
    """How many readers of one cycle load: all whose draw asks for a refresh until the first such load has ended."""
    beta, load_time_s, ttl = rule.beta, 1.0, 1_000.0
    rate = READS_PER_LOAD / (beta * load_time_s)
    entry = rule.stamp(Entry("value", FOREVER), 0.0, ttl, load_time_s)
    now, replaced, count = entry.fresh_until - WINDOW * beta * load_time_s, FOREVER, 0
    while (now := now + chance.expovariate(rate)) < replaced:
        if rule.should_refresh(entry, now):
            count += 1
            replaced = min(replaced, now + load_time_s)
    return count


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_recomputations_per_cycle_are_geometric(beta: float) -> None:
    """Their mean is e^(1/β) and P(exactly one) = e^(−1/β), each within three standard errors."""
    chance, cycles = Random(f"XFetch {beta}"), 1_500
    rule = Freshness(beta=beta, random=chance.random)
    counts = [recomputations(rule, chance) for _ in range(cycles)]
    mean, one = math.exp(1 / beta), math.exp(-1 / beta)
    assert sum(counts) / cycles == pytest.approx(mean, abs=3 * math.sqrt(mean * (mean - 1) / cycles))
    assert counts.count(1) / cycles == pytest.approx(one, abs=3 * math.sqrt(one * (1 - one) / cycles))
    assert min(counts) == 1


# The law of jitter: how many keys that were filled together expire in one second

KEYS = 100_000


def refreshes_per_second(jitter: float) -> Counter[int]:
    """All keys are filled at second 0 with a TTL of 300 s, and each is loaded again when it expires."""
    rule = Freshness(jitter=jitter, random=Random(f"jitter {jitter}").random)
    loaded = Entry("value", FOREVER)
    return Counter(int(rule.stamp(loaded, 0.0, 300.0, 0.0).fresh_until) for _ in range(KEYS))


@pytest.mark.parametrize("jitter", [0.05, 0.1, 0.2])
def test_jitter_turns_a_peak_into_a_plateau(jitter: float) -> None:
    """N / (2·j·ttl) keys expire per second: the mean is within 1 % of that, and no second is above mean + 4·√mean."""
    plateau = KEYS / (2 * jitter * 300.0)
    counts = refreshes_per_second(jitter)
    assert (min(counts), max(counts)) == (300 * (1 - jitter), 300 * (1 + jitter) - 1)
    assert sum(counts.values()) / len(counts) == pytest.approx(plateau, rel=0.01)
    assert max(counts.values()) < plateau + 4 * math.sqrt(plateau)


def test_without_jitter_all_come_in_one_second() -> None:
    """This is an avalanche."""
    assert refreshes_per_second(0.0) == {300: KEYS}
