"""What the envelope adds to the serializer: `Codec` beside bare msgspec, json and pickle, for values of several sizes.

Whatever it contains, an envelope has a key, a checksum, a version and four durations, whose cost is about a constant.
For three short fields that is several times the cost of the fields. For larger values it is little, and most of what
the envelope adds is its checksums, one each way. These are measured alone, too.
"""

import asyncio
import json
import pickle
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from cachelab.stores.codec import Codec
from tests.bench.timing import Round, interleaved, report

__all__ = ["BARE", "CHECKSUMS", "JSON", "OURS", "PICKLE", "PROFILES", "Profile", "measure"]

OURS, BARE, CHECKSUMS, JSON, PICKLE = "Codec", "msgspec, bare", "two checksums", "json, bare", "pickle, bare"
KEY = "user:v1:42"


@dataclass(frozen=True)
class Profile:
    """A user profile, as large as its lists."""

    id: int
    username: str
    email: str
    bio: str = ""
    tags: list[str] = field(default_factory=list)
    visits: list[int] = field(default_factory=list)


def _profile(items: int) -> Profile:
    tags = [f"a tag, number {number}" for number in range(items)]
    return Profile(
        42, "ada", "ada@example.org", "About me. " * items, tags, [10**6 + number for number in range(items)]
    )


PROFILES = {name: _profile(items) for name, items in (("tiny", 0), ("1 kB", 30), ("10 kB", 300), ("100 kB", 3_000))}


def _rounds_of(step: Callable[[], Any], calls: int) -> Round:
    async def one_round() -> float:
        start = time.process_time()
        for _ in range(calls):
            step()
        return (time.process_time() - start) / calls

    return one_round


async def measure(profile: Profile, rounds: int = 15) -> dict[str, float]:
    """The least processor seconds that each needs to encode and decode once."""
    codec = Codec(Profile, version=1)
    encode, decode = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(Profile).decode
    packed = encode(profile)
    ways: dict[str, Callable[[], Any]] = {
        OURS: lambda: codec.decode(KEY, codec.encode(KEY, profile, lifetime_s=60.0)),
        BARE: lambda: decode(encode(profile)),
        CHECKSUMS: lambda: (zlib.crc32(packed), zlib.crc32(packed)),
        JSON: lambda: Profile(**json.loads(json.dumps(vars(profile)))),
        PICKLE: lambda: pickle.loads(pickle.dumps(profile)),
    }
    calls = 10 + 1_000_000 // (100 + len(packed))
    return await interleaved({name: _rounds_of(way, calls) for name, way in ways.items()}, rounds, min)


if __name__ == "__main__":
    for label, each in PROFILES.items():
        print(f"{label}: {len(msgspec.msgpack.encode(each)):,} bytes")
        report(asyncio.run(measure(each)), BARE)
