"""The picture of a sign-up: what it says in words, and which mark an answer gets."""

from typing import Any

from matplotlib.figure import Figure

from cachelab import ABSENT, lab


def signed_up(*, denies: bool) -> lab.ReplayResult:
    """A user who signs up at pod 1 from 1 s to 1.5 s, and is read at two pods. Pod 2 may deny that there is one."""

    async def scenario() -> lab.ReplayResult:
        db = lab.SlowDatabase(users=5, service_s=0.5)

        async def pod_2(key: int) -> object:
            return ABSENT if denies else await db.fetch_user(key)

        requests = [lab.Request(0.4 * n, n % 2, 6) for n in range(8)]
        requests.append(lab.Request(1.0, 0, 6, write=True))
        return await lab.replay(requests, [db.fetch_user, pod_2], db=db, write=db.add_user)

    return lab.run(scenario)


def test_the_words_tell_who_is_told_not_found() -> None:
    """How many of the reads after the commit, and at which pods."""
    picture = lab.plot_sign_up({"a": signed_up(denies=True), "b": signed_up(denies=False)}, "title")
    assert picture.words == (
        "a: the commit is at 1.50 s; 2 of 4 reads after the commit are told “not found”, at pod 2; "
        "b: the commit is at 1.50 s; 0 of 4 reads after the commit are told “not found”."
    )


def test_each_answer_has_its_mark(drawn: list[Figure]) -> None:
    """A read that asked before the commit is no false answer, although it was answered after it."""
    lab.plot_sign_up({"a": signed_up(denies=True)}, "title")
    axes: list[Any] = drawn[0].axes
    (ax,) = axes
    marks = {line.get_marker() + str(line.get_markerfacecolor()): list(line.get_xdata()) for line in ax.lines}
    early, found, wrong = (marks[name] for name in ("owhite", "o#009E73", "X#D55E00"))
    assert [round(when, 1) for when in early] == [0.0, 0.4, 0.8, 1.2]
    assert [round(when, 1) for when in found] == [1.6, 2.4]
    assert [round(when, 1) for when in wrong] == [2.0, 2.8]


def test_the_bar_is_as_long_as_the_sign_up(drawn: list[Figure]) -> None:
    """In the lane of its pod, with a dashed line at the commit."""
    lab.plot_sign_up({"a": signed_up(denies=False)}, "title")
    axes: list[Any] = drawn[0].axes
    (ax,) = axes
    (bar,) = ax.patches
    assert (bar.get_x(), bar.get_width(), round(bar.get_y() + bar.get_height() / 2, 6)) == (1.0, 0.5, 0.0)
    assert [line.get_xdata()[0] for line in ax.lines if line.get_linestyle() == "--"] == [1.5]
