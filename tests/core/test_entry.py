"""The three kinds of nothing. Other tests of `cachelab.entry`: test_freshness (moments), test_arguments (checks)."""

import copy
import pickle
from typing import Any

import pytest

from cachelab import ABSENT, MISS


@pytest.mark.parametrize(("nothing", "name"), [(MISS, "MISS"), (ABSENT, "ABSENT")])
def test_a_kind_of_nothing_is_a_single_false_object(nothing: Any, name: str) -> None:
    """A copy and a pickle are the same object, so that `answer is ABSENT` works for them, too. It shows as its name."""
    assert copy.deepcopy([nothing])[0] is copy.copy(nothing) is pickle.loads(pickle.dumps(nothing)) is nothing
    assert (bool(nothing), repr(nothing), str(nothing), f"{nothing}") == (False, name, name, name)


def test_the_kinds_of_nothing_differ() -> None:
    """Neither of them is None, or equal to it or to the other one."""
    assert len({MISS, ABSENT, None}) == 3
