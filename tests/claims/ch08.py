"""Chapter 8: what it says of random accidents to bytes."""

import json
from typing import Any

import pytest

from tests.claims.claim import Chapter

claim = Chapter("08")


def count(by_kind: dict[str, list[str]], fate: str) -> int:
    """How many accidents of all kinds have this outcome."""
    return sum(fates.count(fate) for fates in by_kind.values())


@claim("With random names about a quarter of the MessagePack is left.")
def about_a_quarter(User: Any, msgspec: Any, zlib: Any, Random: Any) -> None:  # noqa: N803 - names of the notebook
    """Eight random letters for each of 1,000 names."""
    draw = Random(1).choices
    names = ["".join(draw("abcdefghijklmnopqrstuvwxyz", k=8)) for _ in range(1_000)]
    data = msgspec.msgpack.encode([User(n, name, f"{name}@example.com", n) for n, name in enumerate(names)])
    assert len(zlib.compress(data, 6)) / len(data) == pytest.approx(0.25, abs=0.03)


@claim("A type refuses what does not fit it, and believes the rest")
def a_type(readers: Any) -> None:
    """It makes a miss of more than half of the accidents, and more than four in ten pass."""
    assert count(readers["decoded to a type"], "counted miss") > 500
    assert count(readers["decoded to a type"], "wrong value") > 400


@claim("`json.loads` returns a wrong value 706 times and raises an error 294 times.")
def json_loads(readers: Any) -> None:
    """Within 30, and nothing else happens."""
    wrong, errors = (count(readers["json.loads"], fate) for fate in ("wrong value", "error"))
    assert wrong == pytest.approx(706, abs=30)
    assert wrong + errors == 1_000


@claim("The old shape does not even raise one here")
def the_old_shape_is_a_value(readers: Any) -> None:
    """`json.loads` knows no shapes."""
    assert set(readers["json.loads"]["an old shape"]) == {"wrong value"}


@claim("(That bit is inside a value, or inside the name of the field `commit`, which then gets its default.)")
def where_the_bit_is(readers: Any, accidents: Any, in_json: Any, msgspec: Any, ana: Any) -> None:
    """A name of a field without a default is missed. Several of each kind are in each sample."""
    flips = accidents(in_json)["a bit flips"]
    fates = readers["decoded to a type"]["a bit flips"]
    believed = [
        json.loads(data.decode(errors="replace"))
        for data, fate in zip(flips, fates, strict=True)
        if fate == "wrong value"
    ]
    names = [set(found) for found in believed]
    assert all(fields >= {"id", "username", "email"} for fields in names)
    assert 0 < sum("commit" in fields for fields in names) < len(names)


@claim("The declared type makes a miss of the old shape and of most damage.")
def most_damage(readers: Any) -> None:
    """Of three in four of the flipped bits and lost ends, and of every old shape."""
    fates = readers["decoded to a type"]
    damage = fates["a bit flips"] + fates["cut off"]
    assert damage.count("counted miss") > 0.75 * len(damage)
    assert set(fates["an old shape"]) == {"counted miss"}


@claim(
    "But 458 wrong values fit the type: another user's profile, the profile with the old meaning, and some with a "
    "flipped bit."
)
def what_fits_the_type(readers: Any) -> None:
    """Within 30, and no others."""
    fates = readers["decoded to a type"]
    assert count(fates, "wrong value") == pytest.approx(458, abs=30)
    assert set(fates["somebody else's"]) == set(fates["an old meaning"]) == {"wrong value"}
    assert 30 < fates["a bit flips"].count("wrong value") < 100
    assert "wrong value" not in fates["cut off"] + fates["an old shape"]


@claim("Now all 1,000 accidents are misses, and each part of the envelope has caught some.")
def all_of_them(caught: Any) -> None:
    """None is left, and each of the four reasons occurs."""
    assert caught.total() == 1_000
    assert {reason for _, reason in caught} == {"the checksum", "the type", "the version", "the key"}


@claim("The checksum finds damage: every single flipped bit")
def each_flipped_bit(caught: Any) -> None:
    """And every lost end."""
    assert caught["a bit flips", "the checksum"] == caught["cut off", "the checksum"] == 200


@claim("Only the version finds the old meaning, since its shape is the same.")
def the_version(caught: Any) -> None:
    """All 200 of it, and nothing else."""
    assert [(kind, n) for (kind, reason), n in caught.items() if reason == "the version"] == [("an old meaning", 200)]
