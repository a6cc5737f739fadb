"""What the pictures of old answers say in words."""

import pytest

from cachelab import Cache, MemoryStore, lab
from tests.lab.plots.test_contrast import old_answers, replayed


def test_each_node_has_its_old_answers() -> None:
    """How many they are, and how long after the write the last one was."""
    words = lab.plot_answers({"one run": old_answers()}, "title").words
    assert words == (
        "a write at 1.55 s; node 1 gave 4 old answers of 6, the last 3.5 s after the write, node 2 gave 3 old answers "
        "of 5, the last 3.0 s after the write."
    )


def test_several_runs_are_named() -> None:
    """With their labels, also one without a write."""
    words = lab.plot_answers({"old": old_answers(), "without": replayed()}, "title", deaf_s=(1.0, 2.0)).words
    assert words.startswith("old: a write at 1.55 s; node 1")
    assert "without: no write; node 1 gave 0 old answers of 12, node 2 gave 0 old answers of 0." in words


def test_the_distribution_in_words() -> None:
    """The share of old answers, half of them, and the oldest; and that there are none."""
    words = lab.plot_stale_answers({"old": old_answers(), "none": replayed()}, "title", limits={"TTL": 5.0}).words
    of_old = "old: 63.64% of 11 answers old, half of them by more than 1.9 s, the stalest by 3.5 s"
    assert words == f"{of_old}; none: no old answers."


def test_an_answer_out_of_date_by_less_than_the_axis_begins_is_counted() -> None:
    """A read that ends a moment after the write is old by so little that it is left of the axis."""

    async def scenario() -> lab.ReplayResult:
        db = lab.SlowDatabase(users=5, service_s=0.05)
        cache = Cache(MemoryStore(10), db.fetch_user, ttl=5)
        requests = [lab.Request(0.0, 0, 1), lab.Request(1.0, 0, 1, write=True), lab.Request(1.0501, 0, 1)]
        return await lab.replay(requests, cache, db=db)

    picture = lab.plot_stale_answers({"a": lab.run(scenario)}, "title")
    assert picture.words == "a: 50.00% of 2 answers old, half of them by more than 0 ms, the stalest by 0 ms."


@pytest.mark.parametrize("limits", [None, {"L1 TTL": 0.001}])
def test_a_picture_without_old_answers(limits: dict[str, float] | None) -> None:
    """It is drawn all the same."""
    assert lab.plot_stale_answers({"a": replayed()}, "title", limits=limits).words == "a: no old answers."
