"""Items 1 to 5 of the single-flight exam: callers who share a load, and what one of them may do to the others."""

from __future__ import annotations

from cachelab.lab.flight_exam.judging import loads, remembers, want
from cachelab.lab.flight_exam.stage import Stage
from cachelab.lab.flight_exam.words import Fails, NotApplicable, OriginDown, sentence

__all__ = ["answer_none", "crowd", "failing", "first_leaves", "follower_leaves"]


async def crowd(stage: Stage) -> str:
    """Item 1: a hundred callers at once, one load."""
    await stage.call("callers", 100)
    await stage.finish()
    if stage.loads != 1:
        raise Fails(f"100 concurrent callers caused {loads(stage.loads)}.")
    want(stage, "callers", value=1)
    return "100 concurrent callers, 1 load."


async def failing(stage: Stage) -> str:
    """Item 2: each waiter gets the error once, and it is not remembered."""
    await stage.call("callers", 10)
    begun = stage.loads
    await stage.end_loads(fail=True)
    if stage.loads > begun:
        raise Fails(f"When the load had failed, {loads(stage.loads - begun)} began for those who still waited.")
    await stage.settle(patiently=True)
    stage.nobody_waits("callers")
    for answer in stage.answers["callers"]:
        if not isinstance(answer.error, OriginDown):
            got = "an answer" if answer.error is None else sentence(answer.error)
            raise Fails(f"The load failed, and a waiter got {got} instead of its error.")
    begun = stage.loads
    await stage.call("the next caller")
    await stage.finish()
    if stage.loads == begun:
        raise Fails("The error was remembered: the next caller got it without a load.")
    want(stage, "the next caller", value=1)
    return "Each waiter got the error, and the next caller loaded again."


async def first_leaves(stage: Stage) -> str:
    """Item 3: cancelling the first caller harms nobody and causes no second load."""
    return await _one_leaves(stage, "caller 1", ("caller 2", "caller 3"))


async def follower_leaves(stage: Stage) -> str:
    """Item 4: nor does cancelling a follower."""
    return await _one_leaves(stage, "caller 2", ("caller 1", "caller 3"))


async def _one_leaves(stage: Stage, leaver: str, others: tuple[str, str]) -> str:
    if not stage.can_cancel:
        raise NotApplicable("A thread cannot be cancelled.")
    for name in ("caller 1", "caller 2", "caller 3"):
        await stage.call(name)
    begun = stage.loads
    await stage.cancel(leaver)
    if stage.loads > begun:
        raise Fails("The cancellation caused a second load.")
    if begun == 1 and not any(stage.answers[name] for name in others):  # they share it: so must who comes now
        await stage.call("caller 4")
        if stage.loads > begun:
            raise Fails("Who left took the load off the table with him: caller 4 began a second one.")
    await stage.finish()
    if stage.loads > begun:
        raise Fails("The cancellation caused a second load, after the first.")
    want(stage, *others, value=1)
    return "The others got their answer, and no other load began."


async def answer_none(stage: Stage) -> str:
    """Item 5: None is an answer, compared with what the subject does for another one."""
    usual = await remembers(stage, 1)
    with_none = await remembers(stage, None)
    if with_none[0] > usual[0]:
        raise Fails(f"10 callers caused {loads(with_none[0])} because the answer was None; else {usual[0]}.")
    if with_none[1] > usual[1]:
        raise Fails("The answer None was not kept, as others are: the next caller loaded again.")
    return "None is an answer like any other."
