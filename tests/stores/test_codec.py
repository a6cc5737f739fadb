"""The codec gives back what it was given, and refuses everything else."""

import dataclasses
import math
import random
import zlib
from datetime import datetime
from traceback import format_exception
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given, strategies as st

from cachelab.entry import ABSENT
from cachelab.stores.codec import HEAD, MARKER, Codec, Envelope, Undecodable
from tests.support.fakes import PROPERTY


@dataclasses.dataclass(frozen=True)
class Profile:
    """A user profile."""

    id: int
    username: str
    email: str | None = None
    tags: tuple[str, ...] = ()


KEY = "user:v2:42"
CODEC = Codec(Profile | None, version=2)
ENVELOPE = Envelope(2, KEY, 60.0, 40.0, 55.0, 0.25, False, Profile(42, "ada", None, ("a", "b")))

profiles = st.builds(Profile, st.integers(-(2**63), 2**63 - 1), st.text(), st.none() | st.text(), st.just(()))
seconds = st.floats(0, 1e9)
values = st.none() | st.just(ABSENT) | profiles


def encoded(envelope: Envelope[Any]) -> bytes:
    """The bytes of an envelope."""
    _, key, lifetime_s, stale_for_s, refresh_window_s, load_time_s, never_expires, value = msgspec.structs.astuple(
        envelope
    )
    return CODEC.encode(
        key,
        value,
        lifetime_s=lifetime_s,
        stale_for_s=stale_for_s,
        refresh_window_s=refresh_window_s,
        load_time_s=load_time_s,
        never_expires=never_expires,
    )


def through(codec: Codec, value: Any, reader: Codec | None = None) -> Any:
    """What a value comes back as; `reader` is the codec that decodes it, if that is another one."""
    return (reader or codec).decode("k", codec.encode("k", value, lifetime_s=1.0)).value


def sealed(body: bytes) -> bytes:
    """A body behind the marker and its right checksum, as a forger would make it."""
    return MARKER + zlib.crc32(body).to_bytes(4, "big") + body


def forged(*values: bytes, **changes: Any) -> bytes:
    """A well-formed envelope in which some fields are changed, with as many values as are given."""
    fields = {
        "version": 2,
        "key": KEY,
        "lifetime_s": 60.0,
        "stale_for_s": 0.0,
        "refresh_window_s": 0.0,
        "load_time_s": 0.0,
        "never_expires": False,
    }
    return sealed(msgspec.msgpack.encode([*(fields | changes).values(), *map(msgspec.Raw, values)]))


def mutated(data: bytes, rng: random.Random) -> bytes:
    """The bytes after one to four changes: a byte changed, some bytes doubled or cut out, or the end cut off."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(changed))
        kind = rng.randrange(4)
        if kind == 0:
            changed[at] ^= rng.randint(1, 255)
        elif kind == 1:
            changed[at:at] = changed[at : at + rng.randint(1, 8)]
        elif kind == 2:
            del changed[at : at + rng.randint(1, 8)]
        else:
            del changed[at + 1 :]
        if not changed:
            break
    return bytes(changed)


def reads_as_before_or_not_at_all(data: bytes, key: str = KEY) -> bool:
    """Whether these bytes are refused, or decode to what was encoded."""
    try:
        return CODEC.decode(key, data) == ENVELOPE
    except Undecodable:
        return True


@PROPERTY
@given(st.text(), seconds, st.tuples(seconds, seconds), seconds, st.booleans(), values)
def test_what_was_encoded_comes_back(
    key: str, lifetime_s: float, times: tuple[float, float], load_time_s: float, never_expires: bool, value: Any
) -> None:
    """Any value of the type, None and ABSENT come back with all durations, under any key."""
    envelope = Envelope(2, key, lifetime_s, min(times), max(times), load_time_s, never_expires, value)
    assert CODEC.decode(key, encoded(envelope)) == envelope


def test_absent_and_none_are_two_things() -> None:
    """ABSENT comes back as that very object, even for a type that does not allow None."""
    assert through(Codec(int, version=1), ABSENT) is ABSENT
    assert through(CODEC, ABSENT) is ABSENT
    assert through(CODEC, None) is None


@pytest.mark.parametrize("value_type", [int, str, Profile, list[int], dict], ids=str)
def test_a_type_without_none_refuses_it(value_type: Any) -> None:
    """None is a value only for a type that allows it."""
    with pytest.raises(Undecodable, match="no entry of this type"):
        through(Codec(value_type, version=1), None)


def test_no_value_reads_as_absent() -> None:
    """The string "ABSENT" is a string like any other, and is refused where the type has no strings."""
    assert through(Codec(str, version=1), "ABSENT") == "ABSENT"
    with pytest.raises(Undecodable, match="no entry of this type"):
        through(Codec(int, version=1), "ABSENT")


def test_a_struct_comes_back_as_its_own_type() -> None:
    """A msgspec Struct works as well as a dataclass."""
    point = msgspec.defstruct("Point", [("x", int), ("y", int)])
    assert through(Codec(point, version=1), point(1, 2)) == point(1, 2)


@PROPERTY
@given(data=st.binary(max_size=300))
def test_garbage_is_refused(data: bytes) -> None:
    """Random bytes are no entry, on their own or behind a marker and their right checksum."""
    for each in (data, sealed(data)):
        with pytest.raises(Undecodable):
            CODEC.decode(KEY, each)


@PROPERTY
@given(seed=st.integers(0, 2**32))
def test_damaged_bytes_are_refused(seed: int) -> None:
    """Whichever bytes are changed, they are refused or give the same entry, never another one."""
    assert reads_as_before_or_not_at_all(mutated(encoded(ENVELOPE), random.Random(seed)))


@pytest.mark.long
def test_a_hundred_thousand_damaged_envelopes_are_refused() -> None:
    """As above, 100,000 times."""
    rng, data = random.Random(1), encoded(ENVELOPE)
    assert all(reads_as_before_or_not_at_all(mutated(data, rng)) for _ in range(100_000))


@pytest.mark.long
def test_a_hundred_thousand_forgeries_crash_nothing() -> None:
    """Damaged bytes behind their right checksum give some value of the type or are refused; nothing else happens."""
    rng, body = random.Random(2), encoded(ENVELOPE)[HEAD:]
    for _ in range(100_000):
        try:
            value = CODEC.decode(KEY, sealed(mutated(body, rng))).value
        except Undecodable:
            continue
        assert value is None or value is ABSENT or isinstance(value, Profile)


@pytest.mark.parametrize("length", range(0, 80, 7))
def test_truncated_bytes_are_refused(length: int) -> None:
    """An envelope that ends too early is refused, wherever it ends."""
    data = encoded(ENVELOPE)
    assert length < len(data)
    for each in (data[:length], sealed(data[HEAD : HEAD + length])):
        with pytest.raises(Undecodable):
            CODEC.decode(KEY, each)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (forged(version=1), "Version 1 was found where 2 is read"),
        (forged(key="user:v2:43"), "belongs to another key"),
        (forged(lifetime_s=-1.0), "no number of seconds"),
        (forged(lifetime_s=math.inf), "no number of seconds"),
        (forged(lifetime_s=math.nan), "no number of seconds"),
        (forged(load_time_s=math.nan), "no number of seconds"),
        (forged(stale_for_s=math.nan), "stale before its refresh window"),
        (forged(stale_for_s=-1.0), "stale before its refresh window"),
        (forged(stale_for_s=2.0, refresh_window_s=1.0), "stale before its refresh window"),
        (forged(refresh_window_s=math.inf), "stale before its refresh window"),
        (forged(b"\xc0", b"\xc0"), "no entry of this type in version 2"),
        (forged(more=1), "no entry of this type"),
        (forged(msgspec.msgpack.encode({"id": "no number", "username": "ada"})), "no entry of this type"),
        (forged(msgspec.msgpack.encode({"id": 1})), "no entry of this type"),
        (forged(b"\x91" * 100_000 + b"\xc0"), "no entry of this type"),
        (forged(b"\x81\xa1x" * 100_000 + b"\xc0"), "no entry of this type"),
        (forged() + b"\x00", "checksum differs"),
        (b"\x80\x04\x95" + b"cos\nsystem\n", "no envelope of ours"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_a_well_formed_envelope_that_does_not_fit_is_refused(data: bytes, reason: str) -> None:
    """Another version, key or type, too many levels, impossible times: each is refused for its own reason."""
    with pytest.raises(Undecodable, match=reason):
        CODEC.decode(KEY, data)


def test_without_changes_a_forged_envelope_is_accepted() -> None:
    """The refusals above start from a good envelope: without a value the key is absent, with one it has that value."""
    assert CODEC.decode(KEY, forged()).value is ABSENT
    assert CODEC.decode(KEY, forged(b"\xc0")) == Envelope(2, KEY, 60.0, 0.0, 0.0, 0.0, False, None)


def test_too_many_bytes_are_refused() -> None:
    """The bound is on the whole envelope: it may be that long, and a bound of one byte less refuses it."""
    size = len(encoded(ENVELOPE))
    assert Codec(Profile, version=2, max_bytes=size).decode(KEY, encoded(ENVELOPE)) == ENVELOPE
    with pytest.raises(Undecodable, match="are more than"):
        Codec(Profile, version=2, max_bytes=size - 1).decode(KEY, encoded(ENVELOPE))


def test_a_types_own_check_that_raises_is_a_refusal() -> None:
    """An error from a type's own code, here its __post_init__, becomes `Undecodable`."""

    class Even(msgspec.Struct):
        n: int

        def __post_init__(self) -> None:
            if self.n % 2:
                raise RuntimeError("odd")

    assert through(Codec(dict, version=1), {"n": 2}, Codec(Even, version=1)) == Even(2)
    with pytest.raises(Undecodable, match=r"in version 1: RuntimeError\.$"):
        through(Codec(dict, version=1), {"n": 3}, Codec(Even, version=1))


class Tagged(msgspec.Struct, forbid_unknown_fields=True, tag="user"):
    """A type whose bytes can be wrong in ways that msgspec quotes."""

    color: Literal["red"]
    seen: datetime

    def __post_init__(self) -> None:
        if self.seen.year < 2000:
            raise ValueError(f"{self.seen} is a secret")


@pytest.mark.parametrize(
    "value",
    [
        {"type": "secret"},
        {"type": "user", "color": "secret"},
        {"type": "user", "secret": 1},
        {"type": "user", "color": "red", "seen": "secret"},
        {"type": "user", "color": "red", "seen": "1999-01-01"},
        "secret",
    ],
    ids=str,
)
def test_no_stored_value_is_in_the_error(value: Any) -> None:
    """Neither in its text nor in its traceback, which a log keeps."""
    with pytest.raises(Undecodable) as raised:
        through(Codec(Any, version=1), value, Codec(Tagged, version=1))
    shown = "".join(format_exception(raised.value))
    assert "no entry of this type in version 1: " in shown
    assert all(secret not in shown for secret in ("secret", "1999"))


@pytest.mark.parametrize("version", ["2", 1.5, True, None])
def test_a_version_is_a_whole_number(version: Any) -> None:
    """A version that could be written but not read is refused at once."""
    with pytest.raises(TypeError, match="version must be an int, not"):
        Codec(int, version=version)
