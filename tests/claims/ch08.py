"""Chapter 8: what it says of random accidents to bytes."""

from typing import Any

import pytest

from tests.claims.claim import Chapter

claim = Chapter("08")


@claim("With random ones about a quarter is left")
def about_a_quarter(User: Any, msgspec: Any, zlib: Any, Random: Any) -> None:  # noqa: N803 - names of the notebook
    """Eight random letters for each of 1,000 names."""
    draw = Random(1).choices
    names = ["".join(draw("abcdefghijklmnopqrstuvwxyz", k=8)) for _ in range(1_000)]
    data = msgspec.msgpack.encode([User(n, name, f"{name}@example.com", n) for n, name in enumerate(names)])
    assert len(zlib.compress(data, 6)) / len(data) == pytest.approx(0.25, abs=0.03)


@claim("A type catches what does not fit, and believes what does")
def a_type(readers: Any) -> None:
    """It makes a miss of most accidents, and nearly half pass."""
    assert readers["decoded to a type"].count("counted miss") > 500
    assert readers["decoded to a type"].count("wrong value") > 400


@claim("`json.loads` serves 710 wrong values and fails at the rest, 290.")
def json_loads(readers: Any) -> None:
    """Within 30, and nothing else happens."""
    wrong, errors = (readers["json.loads"].count(fate) for fate in ("wrong value", "error"))
    assert wrong == pytest.approx(710, abs=30)
    assert wrong + errors == 1_000


@claim("A declared type makes a miss of most damage, and of the old shape (because `email` has no default).")
def most_damage(readers: Any, as_json: Any) -> None:
    """Of three in four of the flipped bits and lost ends, and of every old shape."""
    fates = list(zip((kind for kind, _ in as_json), readers["decoded to a type"], strict=True))
    damage = [fate for kind, fate in fates if kind in {"a bit flips", "cut off"}]
    assert damage.count("counted miss") > 0.75 * len(damage)
    assert {fate for kind, fate in fates if kind == "an old shape"} == {"counted miss"}


@claim("But 466 remain")
def what_remains(readers: Any) -> None:
    """Within 30."""
    assert readers["decoded to a type"].count("wrong value") == pytest.approx(466, abs=30)


@claim("(And 7 times there was an error that the author of `typed` had not thought of: bytes that are no UTF-8.)")
def not_thought_of(readers: Any) -> None:
    """In every sample a few times."""
    assert 1 <= readers["decoded to a type"].count("error") <= 20


@claim("With the key, the version, the type and a checksum, every accident is a miss")
def every_accident_is_a_miss(readers: Any) -> None:
    """All of them."""
    assert readers["in an envelope"] == ["counted miss"] * 1_000


@claim("All 1,000 are counted misses.")
def all_of_them(readers: Any) -> None:
    """As the picture above says."""
    assert readers["in an envelope"].count("counted miss") == 1_000


@claim("The checksum finds damage (each single flipped bit for certain")
def each_flipped_bit(caught: Any) -> None:
    """A flipped bit is found by the checksum, or it hits the marker."""
    found = {reason: count for (kind, reason), count in caught.items() if kind == "a bit flips"}
    assert sum(found.values()) == 200
    assert set(found) <= {"The checksum differs", "This is no envelope of ours"}
    assert found["The checksum differs"] > 150


@claim("An old shape fails at the type.")
def fails_at_the_type(caught: Any) -> None:
    """All 200."""
    assert caught["an old shape", "The bytes are no entry of this type in version 2"] == 200
