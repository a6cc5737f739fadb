"""The numbers that a learner gives: of whatever type, alone or in a plan; and whether a function is still a stub."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from cachelab.lab.exercises.exercise import NotYet, Wrong, is_stub
from cachelab.lab.exercises.plan import read_plan, real, whole


@pytest.mark.parametrize("six", [6, 6.0, np.int64(6), np.uint8(6), np.float32(6), Fraction(6), Decimal("6.0")])
def test_a_number_of_any_type_is_a_number(six: Any) -> None:
    """Six is six, and an int or a float from then on."""
    assert whole(six) == real(six) == 6
    assert type(whole(six)) is int
    assert type(real(six)) is float


@pytest.mark.parametrize("value", ["6", None, ..., True, np.bool_(True), [6], 6j, int, float("nan"), float("inf"), 6.5])
def test_what_is_no_whole_number(value: Any) -> None:
    """Neither text nor a truth value is a number, and a fraction is no whole one."""
    assert whole(value) is None
    assert (real(value) is None) == (not isinstance(value, float))


def test_a_number_may_be_huge() -> None:
    """A whole number that no float can hold is still one."""
    assert whole(10**400) == 10**400


@pytest.mark.parametrize("plan", [..., {"ttl": ..., "size": 3}, {"ttl": 3, "size": ...}])
def test_a_plan_with_dots_is_a_stub(plan: Any) -> None:
    """As long as one ... is left, there is nothing to judge."""
    with pytest.raises(NotYet, match="put numbers"):
        read_plan(plan, ["ttl", "size"], "put numbers")


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ((3, 4), "The plan is a dict with ttl and size."),
        (None, "The plan is a dict with ttl and size."),
        ({"ttl": 3}, "The plan needs ttl and size: size is missing."),
        ({}, "The plan needs ttl and size: ttl is missing."),
    ],
)
def test_a_plan_of_the_wrong_shape_is_told_so(plan: Any, words: str) -> None:
    """It is a dict, and has all names."""
    with pytest.raises(Wrong) as raised:
        read_plan(plan, ["ttl", "size"], "put numbers")
    assert raised.value.words == words
    assert raised.value.evidence


def test_a_plan_is_read_in_the_order_of_the_names() -> None:
    """Any mapping will do, and other names do not matter."""
    assert read_plan(MappingProxyType({"size": 4, "ttl": 3, "name": "mine"}), ["ttl", "size"], "") == [3, 4]


def stub(one: int) -> None: ...


async def async_stub(one: int) -> None: ...


def with_docstring() -> None:
    """It does nothing."""


def returns_nothing(one: int) -> None:
    one + 1


async def never_returns(one: int) -> None:
    await async_stub(one)


@pytest.mark.parametrize("function", [stub, async_stub, with_docstring, lambda: None])
def test_a_function_that_does_nothing_is_a_stub(function: Any) -> None:
    """Its body is `...`, or says nothing else."""
    assert is_stub(function)


@pytest.mark.parametrize("function", [returns_nothing, never_returns, print, 7, stub.__code__])
def test_a_function_that_does_something_is_no_stub(function: Any) -> None:
    """Also if it forgets to return what it has computed."""
    assert not is_stub(function)
