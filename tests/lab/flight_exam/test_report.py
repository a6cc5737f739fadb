"""The report of an exam: its table, the steps of an item, and the picture of an item."""

import pytest

from cachelab import lab
from tests.support import flight_zoo as zoo


def test_it_has_a_line_for_each_item(capsys: pytest.CaptureFixture[str]) -> None:
    """Each line has the item, its verdict and a sentence; the last line counts them."""
    lab.exam(zoo.NoFlight).show()
    lines = capsys.readouterr().out.splitlines()
    assert [line[0] for line in lines if line[:1].isdigit()][:8] == list("12345678")
    assert lines[0] == f"{'1  many callers, one load':<30}{'fail':<16}100 callers at once caused 100 loads."
    assert lines[-1] == "6 passed, 1 failed, 1 not applicable."
    assert max(map(len, lines)) <= 92


def test_the_steps_say_who_did_what(capsys: pytest.CaptureFixture[str]) -> None:
    """The steps that lead to the failure stand in order, above the verdict."""
    lab.exam(zoo.LoadsInItsFirstCaller).print_steps(3)
    lines = [line.split(maxsplit=1)[-1] for line in capsys.readouterr().out.splitlines()]
    assert [" ".join(line.split()) for line in lines[1:-1]] == [
        "caller 1 calls",
        "load 1 begins, reads 1",
        "caller 2 calls",
        "caller 3 calls",
        "caller 1 leaves",
        "load 1 is cancelled",
        "caller 2 is cancelled",
        "caller 3 is cancelled",
    ]


def test_an_item_has_passed_or_failed_or_does_not_apply() -> None:
    """Each item is in one of the three sets: a subject that shares no load has no newer load beside an old one."""
    report = lab.exam(zoo.NoFlight)
    assert (report.passed, report.failed, report.not_applicable) == ({2, 3, 4, 5, 6, 8}, {1}, {7})


def test_several_that_do_the_same_are_one_step(capsys: pytest.CaptureFixture[str]) -> None:
    """Their step is in the plural, with their number."""
    lab.exam(zoo.NoFlight).print_steps(1)
    assert "more loads  begin, read 1 (×97)" in capsys.readouterr().out


@pytest.mark.long
def test_every_item_can_be_drawn() -> None:
    """Each picture has a twin with the same steps in words."""
    report = lab.exam(zoo.LockAcrossTheLoad)
    pictures = [report.plot(result.item.number) for result in report.results]
    assert all(picture.png.startswith(b"\x89PNG") for picture in pictures)
    assert all("begins, reads" in picture.words for picture in pictures)


def test_an_item_that_does_not_exist_has_no_steps() -> None:
    """The error says so."""
    with pytest.raises(ValueError, match="no record of an item 9"):
        lab.exam(zoo.CorrectFlight).print_steps(9)
