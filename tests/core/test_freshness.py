"""The rule of freshness alone: the moments it stamps on an entry, whose die comes up, and the laws that follow."""

import math
from collections import Counter
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
    """What the rule makes, at second 100, of a load that has just brought `value`; an `Entry` comes from below."""
    loaded = value if isinstance(value, Entry) else Entry(value, FOREVER)
    return Freshness(**options).stamp(loaded, 100.0, ttl, load_time_s)


# The moments of an entry


@PROPERTY
@given(expires=MOMENTS, fresh_until=MOMENTS, refresh_from=MOMENTS)
def test_an_entry_keeps_its_moments_in_order(expires: float, fresh_until: float, refresh_from: float) -> None:
    """Whatever it is given, an entry is due no later than it is fresh, and fresh no longer than it lives."""
    entry = Entry("value", expires, fresh_until, refresh_from)
    assert entry.expires == expires
    assert entry.fresh_until == min(fresh_until, expires)
    assert entry.refresh_from == min(refresh_from, entry.fresh_until)


def test_an_entry_with_one_moment_has_all_three_there() -> None:
    """An entry that says only when it ends is fresh until then, and due then."""
    entry = Entry("value", 60.0)
    assert (entry.refresh_from, entry.fresh_until, entry.expires) == (60.0, 60.0, 60.0)


def test_how_long_a_load_took_makes_no_difference_between_entries() -> None:
    """Two entries with the same value and moments are equal, however they came."""
    assert Entry("value", 60.0, load_time_s=1.0) == Entry("value", 60.0, load_time_s=2.0)


# The stamp


def test_the_defaults_change_nothing() -> None:
    """Fresh for its TTL, then gone, and due at no other moment, however long the load took."""
    assert stamped(load_time_s=5.0) == Entry("value", 160.0)


def test_a_stale_service_comes_after_the_ttl() -> None:
    """`stale_for` lengthens the life, not the freshness."""
    assert stamped(stale_for=30.0) == Entry("value", 190.0, 160.0)


def test_an_endless_stale_service_has_no_end() -> None:
    """With stale_for=inf an entry stays until the store evicts it, and is due at the end of its TTL."""
    assert stamped(stale_for=FOREVER) == Entry("value", FOREVER, 160.0)


@pytest.mark.parametrize(("ttl", "fresh_until"), [(60.0, 160.0), (FOREVER, FOREVER)])
def test_an_absence_is_never_stale(ttl: float, fresh_until: float) -> None:
    """It is gone when its own TTL has passed."""
    assert stamped(ABSENT, ttl=ttl, stale_for=30.0) == Entry(ABSENT, fresh_until)


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
def test_the_die_is_thrown_for_the_first_time_twenty_load_times_before_the_end(beta: float) -> None:
    """due = fresh_until − EARLY_WINDOW·δ·β."""
    assert stamped(load_time_s=0.5, beta=beta).refresh_from == 160.0 - EARLY_WINDOW * 0.5 * beta


def test_the_stamp_remembers_how_long_the_load_took() -> None:
    """δ is in the entry, for whoever asks later whether it is due."""
    assert stamped(load_time_s=0.5).load_time_s == 0.5


@PROPERTY
@given(u=st.floats(0.0, 1.0, exclude_max=True), jitter=st.floats(0.0, 1.0, exclude_max=True))
def test_jitter_stays_within_its_share_of_the_ttl(u: float, jitter: float) -> None:
    """The life is ttl·(1 ± j), whatever the die shows, and more than nothing."""
    life = stamped(jitter=jitter, random=lambda: u).fresh_until - 100.0
    assert 60.0 * (1 - jitter) - 1e-9 <= life <= 60.0 * (1 + jitter) + 1e-9
    assert life >= 0


@pytest.mark.parametrize(("u", "life"), [(0.0, 54.0), (0.5, 60.0), (0.75, 63.0)])
def test_jitter_spreads_evenly(u: float, life: float) -> None:
    """From ttl·(1 − j) at U = 0 over ttl in the middle to ttl·(1 + j) at the end."""
    assert stamped(jitter=0.1, random=lambda: u).fresh_until == pytest.approx(100.0 + life)


def test_an_endless_ttl_has_no_jitter() -> None:
    """A share of for ever is for ever."""
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
def test_nothing_gets_better_than_it_is_below(
    expires: float, fresh_for: float, stale_for: float, ttl: float, jitter: float, u: float
) -> None:
    """What a cache below would call stale is not fresh here, and what it would not serve is not served here."""
    below = Entry("value", expires, 100.0 + fresh_for)
    here = stamped(below, ttl=ttl, stale_for=stale_for, jitter=jitter, random=lambda: u)
    assert here.fresh_until <= below.fresh_until
    assert here.expires <= min(below.expires, below.fresh_until + stale_for)


# The die


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("u", [0.0, 0.5, math.nextafter(1.0, 0.0)])
@pytest.mark.parametrize("now", [160.0, 161.0])
def test_from_the_end_of_its_freshness_an_entry_is_due_for_everybody(beta: float, u: float, now: float) -> None:
    """No die decides any more, from that very instant on."""
    rule = Freshness(stale_for=30.0, beta=beta, random=lambda: u)
    assert rule.should_refresh(Entry("value", 190.0, 160.0, load_time_s=1.0), now)


@pytest.mark.parametrize("u", [0.0, 0.5, math.nextafter(1.0, 0.0)])
def test_without_beta_nothing_is_due_early(u: float) -> None:
    """With beta=0 the last moment of freshness is still one, whatever the die shows."""
    rule = Freshness(random=lambda: u)
    assert not rule.should_refresh(Entry("value", 160.0, load_time_s=1.0), math.nextafter(160.0, 0.0))


@pytest.mark.parametrize(("u", "due"), [(0.0, False), (0.63, False), (0.64, True), (0.9, True)])
def test_one_load_time_before_the_end_the_die_needs_one_minus_one_over_e(u: float, due: bool) -> None:
    """At β = 1 and now = expiry − δ the rule says −ln(1 − U) ≥ 1, that is U ≥ 1 − 1/e = .632."""
    assert Freshness(beta=1.0, random=lambda: u).should_refresh(Entry("value", 160.0, load_time_s=2.0), 158.0) == due


def test_before_its_first_throw_the_die_would_not_have_come_up() -> None:
    """What is lost by not asking before `due` is one read in e^20."""
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
    """It says what is allowed and what was given, and is the same in every run: it holds no address."""
    given_options = {"stale_for": 0.0, "beta": 0.0, "jitter": 0.0} | options
    with pytest.raises(ValueError, match="Freshness needs stale_for >= 0 seconds") as raised:
        Freshness(**options)
    told = ", ".join(f"{name}={value!r}" for name, value in given_options.items())
    assert str(raised.value) == (
        f"Freshness needs stale_for >= 0 seconds, 0 <= beta < inf, 0 <= jitter < 1, not Freshness({told})."
    )


# The law of XFetch: how many readers recompute

READS_PER_LOAD = 60.0  # λβδ: much more than 1
WINDOW = math.log(READS_PER_LOAD) + 5  # in units of βδ: one recomputation in 150 cycles would begin before it


def recomputations(rule: Freshness, chance: Random) -> int:
    """How many of the readers of one cycle have it loaded anew: all whose die comes up until the first is done."""
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
    """All keys are filled at second 0 with a TTL of 300 s, and each is loaded anew when it expires."""
    rule = Freshness(jitter=jitter, random=Random(f"jitter {jitter}").random)
    loaded = Entry("value", FOREVER)
    return Counter(int(rule.stamp(loaded, 0.0, 300.0, 0.0).fresh_until) for _ in range(KEYS))


@pytest.mark.parametrize("jitter", [0.05, 0.1, 0.2])
def test_jitter_makes_a_plateau_of_a_peak(jitter: float) -> None:
    """N / (2·j·ttl) per second: the mean within 1 %, no second above mean + 4·√mean."""
    plateau = KEYS / (2 * jitter * 300.0)
    counts = refreshes_per_second(jitter)
    assert (min(counts), max(counts)) == (300 * (1 - jitter), 300 * (1 + jitter) - 1)
    assert sum(counts.values()) / len(counts) == pytest.approx(plateau, rel=0.01)
    assert max(counts.values()) < plateau + 4 * math.sqrt(plateau)


def test_without_jitter_all_come_in_one_second() -> None:
    """This is the avalanche."""
    assert refreshes_per_second(0.0) == {300: KEYS}
