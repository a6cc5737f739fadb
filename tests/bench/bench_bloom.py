"""What a question to the Bloom filter costs, and how large it is, beside rbloom, which is written in Rust.

Both are built for the same number of keys and the same share of false positives, and are asked for the same keys, of
which half were added. rbloom is measured with the hash that is its default, Python's own, which differs from process to
process, and with blake2b, as ours has it. The first is what its users get, and the second compares like with like.
"""

import asyncio
import time
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

from cachelab.bloom import Bloom
from cachelab.stores.redis_key import escaped
from tests.bench.timing import Round, interleaved, report

__all__ = ["ADD", "EXPECTED", "HASH", "OURS", "PEER", "PEER_BLAKE2B", "measure", "sizes"]

OURS, PEER, PEER_BLAKE2B = "Bloom", "rbloom", "rbloom, blake2b"
HASH, ADD = "the hash alone", "Bloom.add"
EXPECTED, SHARE = 20_000, 0.01
ASKED = range(10_000, 30_000)


def _blake2b(key: Any) -> int:
    return int.from_bytes(blake2b(escaped(key).encode(), digest_size=16).digest(), "big", signed=True)


def _peer(hash_func: Callable[[Any], int] | None = None) -> Any:
    from rbloom import Bloom as Peer

    return Peer(EXPECTED, SHARE) if hash_func is None else Peer(EXPECTED, SHARE, hash_func)


def _round_of(step: Callable[[int], object]) -> Round:
    async def one_round() -> float:
        start = time.process_time()
        for key in ASKED:
            step(key)
        return (time.process_time() - start) / len(ASKED)

    return one_round


async def measure(rounds: int = 15) -> dict[str, float]:
    """The least processor seconds of a question to each, of an add, and of the hash that ours takes for both."""
    filters = {OURS: Bloom(EXPECTED, SHARE), PEER: _peer(), PEER_BLAKE2B: _peer(_blake2b)}
    for each in filters.values():
        for key in range(EXPECTED):
            each.add(key)
    ways = {name: each.__contains__ for name, each in filters.items()}
    ways |= {HASH: _blake2b, ADD: Bloom(EXPECTED, SHARE).add}
    return await interleaved({name: _round_of(way) for name, way in ways.items()}, rounds, min)


def sizes() -> dict[str, tuple[float, float]]:
    """Bits for each expected key, and the share of false positives among a hundred thousand other keys."""
    ours, peer, found = Bloom(EXPECTED, SHARE), _peer(), range(10**9, 10**9 + 100_000)
    for key in range(EXPECTED):
        ours.add(key)
        peer.add(key)
    return {
        OURS: (ours.bits / EXPECTED, sum(key in ours for key in found) / len(found)),
        PEER: (peer.size_in_bits / EXPECTED, sum(key in peer for key in found) / len(found)),
    }


if __name__ == "__main__":
    for label, (bits, rate) in sizes().items():
        print(f"{label}: {bits:.3f} bits a key, {rate:.2%} false positives")
    report(asyncio.run(measure()), PEER)
