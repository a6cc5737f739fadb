"""The items of the breaker exam: each is a short script that lets one thing go wrong, and looks who reaches the origin.

A script acts on a `Stage`. It returns a sentence that says what was right, or raises `ItemFailed` with a sentence that
says what was wrong, or `NotApplicable` if it cannot judge the breaker. Each item judges one thing only.
"""

from __future__ import annotations

from cachelab.events import Refused
from cachelab.lab.breakers.stage import ANSWER, FAILURES, Asked, Stage
from cachelab.lab.flight_exam.items import Item, ItemFailed, NotApplicable
from cachelab.lab.flight_exam.record import describe_error
from cachelab.lab.flight_exam.stage import OriginDown

__all__ = ["ITEMS"]

CROWD = 20
BEFORE, AFTER = 0.8, 1.2
"""Parts of `open_s` after which the breaker is still open, and half open."""
DOWN = OriginDown("the origin is down")


async def _opens(stage: Stage) -> str:
    """Item 1: the third failure in a row opens it, and none before."""
    for failure in range(FAILURES):
        if not (await stage.ask("callers", DOWN)).reached:
            raise ItemFailed(f"After {failure} of {FAILURES} failures a call was refused.")
    if (await stage.ask("the next caller")).reached:
        raise ItemFailed(f"After {FAILURES} failures in a row the next call still reached the origin.")
    return f"{FAILURES} failures in a row opened it."


async def _answer_between(stage: Stage) -> str:
    """Item 2: an answer ends the row of failures."""
    for does in [*[DOWN] * (FAILURES - 1), ANSWER, *[DOWN] * (FAILURES - 1)]:
        asked = await stage.ask("callers", does)
        if does is ANSWER and not asked.reached:
            raise NotApplicable("It opens earlier.")
    if not (await stage.ask("the next caller")).reached:
        few = FAILURES - 1
        raise ItemFailed(f"{few} failures, an answer and {few} failures opened it: an answer has to end the row.")
    return "Failures before an answer do not count."


async def _refuses(stage: Stage) -> str:
    """Item 3: while it is open no call reaches the origin, and each is told at once."""
    await stage.open()
    for moment in ("at once", f"after {BEFORE:g} × open_s"):
        if moment != "at once":
            await stage.wait(BEFORE)
        for _ in range(5):
            asked = await stage.ask("callers")
            if asked.reached:
                raise ItemFailed(f"It was open, and {moment} a call reached the origin.")
            if asked.error is None:
                raise ItemFailed("A refused caller got no error: it takes what it got for an answer.")
    return "No call reached the origin, and each caller got an error at once."


async def _one_of_a_crowd(stage: Stage) -> str:
    """Item 4: half open, it lets one call through, however many come at once."""
    await _half_open(stage)
    calls = await stage.hold("callers", CROWD)
    if not calls:
        raise ItemFailed("When open_s had passed, no call was let through.")
    if len(calls) > 1:
        raise ItemFailed(f"Half open, it let {len(calls)} of {CROWD} callers through at once.")
    await stage.let_go(calls)
    await stage.let_go(list(range(1, stage.begun + 1)))  # those that have waited for the trial
    stage.none_waits("callers")
    return f"Of {CROWD} callers at once 1 reached the origin."


async def _good_trial(stage: Stage) -> str:
    """Item 5: a trial that succeeds closes it."""
    await _half_open(stage)
    await _trial(stage)
    calls = await stage.hold("callers", 5)
    if len(calls) < 5:
        raise ItemFailed(f"The trial succeeded, and then only {len(calls)} of 5 calls reached the origin.")
    await stage.let_go(calls)
    for _ in range(FAILURES):
        await stage.ask("callers", DOWN)
    if (await stage.ask("a later caller")).reached:
        raise ItemFailed(f"It was closed again, and then {FAILURES} failures in a row did not open it.")
    return "After one answer all calls passed, and it could open again."


async def _failed_trial(stage: Stage) -> str:
    """Item 6: a trial that fails opens it again, for as long as before."""
    await _half_open(stage)
    await _trial(stage, DOWN)
    for moment in ("at once", f"after {BEFORE:g} × open_s"):
        if moment != "at once":
            await stage.wait(BEFORE)
        if (await stage.ask("the next caller")).reached:
            raise ItemFailed(f"The trial failed, and {moment} the next call reached the origin.")
    await stage.wait(AFTER - BEFORE)
    if not (await stage.ask("a later caller")).reached:
        raise ItemFailed("A trial failed, and when open_s had passed again no call was let through.")
    return "It was open for open_s again, and then let a call through."


async def _late_call(stage: Stage) -> str:
    """Item 7: a call that began before it opened changes nothing, whenever and however it ends."""
    late = await stage.hold("the late caller")
    await stage.open()
    await stage.let_go(late)
    if (await stage.ask("the next caller")).reached:
        raise ItemFailed("A call from before it opened got its answer, and that closed it.")
    stage.reset()
    await _late_failure(stage)
    stage.reset()
    await _late_answer_during_the_trial(stage)
    return "It neither closed it nor kept it open, nor took the place of the trial."


async def _late_failure(stage: Stage) -> None:
    late = await stage.hold("the late caller")
    await stage.open()
    await stage.wait(BEFORE)
    await stage.let_go(late, DOWN)
    await stage.wait(AFTER - BEFORE)
    if (await stage.ask("the next caller")).reached:
        return
    steps = stage.record.steps
    stage.reset()
    await _half_open(stage)
    await _trial(stage)  # or it lets nobody through anyhow
    stage.record.steps = steps
    raise ItemFailed("A call from before it opened failed, and that kept it open for longer.")


async def _late_answer_during_the_trial(stage: Stage) -> None:
    late = await stage.hold("the late caller")
    await _half_open(stage)
    trial = await stage.hold("the trial")
    if not trial or await stage.hold("another caller"):
        return  # item 4 judges that
    await stage.let_go(late)
    if await stage.hold("the next caller"):
        raise ItemFailed("A call from before it opened ended during the trial, and then a second call was let through.")


async def _cancelled_caller(stage: Stage) -> str:
    """Item 8: if the caller of the trial leaves, another may try; if another caller leaves, the trial goes on alone."""
    await _half_open(stage)
    if not await stage.hold("the trial"):
        raise NotApplicable("It lets no call through when open_s has passed.")
    await stage.cancel("the trial")
    await stage.wait(AFTER)
    if not (await stage.ask("the next caller")).reached:
        raise ItemFailed("The caller of the trial left, and no other call was let through any more.")
    stage.reset()
    await stage.hold("the late caller")
    await _half_open(stage)
    trial = await stage.hold("the trial")
    if trial and not await stage.hold("another caller"):  # item 4 judges a crowd
        await stage.cancel("the late caller")
        if await stage.hold("the next caller"):
            raise ItemFailed("A caller from before it opened left, and that freed the place of the trial.")
    return "The place of the trial was free when its own caller had left, and only then."


async def _time_outs(stage: Stage) -> str:
    """Item 9: a time-out of the origin is a failure."""
    await stage.open()
    stage.reset()
    for _ in range(FAILURES):
        await stage.ask("callers", TimeoutError())
    if (await stage.ask("the next caller")).reached:
        raise ItemFailed(f"{FAILURES} calls raised TimeoutError, and it did not open: it does not count time-outs.")
    return "Time-outs count as failures."


async def _no_failures(stage: Stage) -> str:
    """Item 10: neither a mistake in the program nor a refusal by another guard is a failure of the origin."""
    for error, words in [(AttributeError(), "a mistake in the program"), (Refused(), "a refusal by another guard")]:
        stage.reset()
        for _ in range(2 * FAILURES):
            await stage.ask("callers", error)
        if not (await stage.ask("the next caller")).reached:
            raise ItemFailed(f"{type(error).__name__} opened it, though {words} is no failure of the origin.")
    return "A mistake in the program and a refusal do not open it."


async def _unchanged(stage: Stage) -> str:
    """Item 11: what passes is what the origin has answered or raised."""
    for value in (ANSWER, None, 0):
        asked = await stage.ask("the caller", value)
        if asked.error is not None:
            raise ItemFailed(f"The origin answered {value!r}, and the caller got an error.", asked.error)
        if asked.value != value:
            raise ItemFailed(f"The origin answered {value!r}, and the caller got something else.")
    asked = await stage.ask("the caller", DOWN)
    if asked.error is not DOWN:
        got = "no error" if asked.error is None else describe_error(asked.error)
        raise ItemFailed(f"The origin raised OriginDown, and the caller got {got}.", asked.error)
    return "Answers and errors are those of the origin."


async def _half_open(stage: Stage) -> None:
    await stage.open()
    await stage.wait(AFTER)


async def _trial(stage: Stage, does: object = ANSWER) -> Asked:
    """The trial of a breaker that is half open. Raises `NotApplicable` if it does not reach the origin."""
    asked = await stage.ask("the trial", does)
    if not asked.reached:
        raise NotApplicable("It lets no call through when open_s has passed.")
    return asked


ITEMS: list[Item[Stage]] = [
    Item(1, "opens after 3 failures", _opens),
    Item(2, "an answer in between", _answer_between),
    Item(3, "refuses while it is open", _refuses),
    Item(4, "half open: one of 20", _one_of_a_crowd),
    Item(5, "a good trial closes it", _good_trial),
    Item(6, "a failed trial opens it", _failed_trial),
    Item(7, "a call that ends late", _late_call),
    Item(8, "a caller is cancelled", _cancelled_caller),
    Item(9, "counts time-outs", _time_outs),
    Item(10, "what is no failure", _no_failures),
    Item(11, "passes on what it gets", _unchanged),
]
