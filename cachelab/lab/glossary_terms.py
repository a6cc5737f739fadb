"""The words of the course, each with what it means and the chapter that introduces it.

`glossary` shows one of them in a notebook. The notebook `notebooks/glossary.ipynb` shows all of them; it is written
from this list by `tests/tools/store_glossary.py`, and a test compares the two.
"""

from __future__ import annotations

import difflib
import textwrap
from dataclasses import dataclass

from cachelab.lab.text import PAGE

__all__ = ["TERMS", "Term", "glossary"]


@dataclass(frozen=True)
class Term:
    """A word of the course: its names, the usual one first; its meaning; the number of the chapter."""

    names: tuple[str, ...]
    meaning: str
    chapter: int


def _term(names: str, chapter: int, meaning: str) -> Term:
    return Term(tuple(names.split(", ")), meaning, chapter)


TERMS = [
    _term("absent", 2, "The origin was asked and has no such key. This is neither a miss nor the value None."),
    _term(
        "article",
        3,
        "A guide to caching in Rust, with a HashMap behind a Mutex, Moka and Redis. This course tests its claims in "
        "Python.",
    ),
    _term("avalanche", 6, "Many keys expire together and are then loaded together. Jitter spreads them out."),
    _term(
        "Bloom filter",
        10,
        "A small table of bits that answers whether a key may exist. Its no is always right; its yes is sometimes "
        "wrong.",
    ),
    _term("bulkhead", 13, "A limit on how many callers may use, or wait for, a resource at the same time."),
    _term(
        "cache stampede, thundering herd, dogpile",
        5,
        "Many callers miss the same key at the same time, and each of them loads it.",
    ),
    _term(
        "cache-aside, look-aside, lazy loading",
        1,
        "The application looks in the cache. On a miss it loads the value itself and puts it into the cache.",
    ),
    _term(
        "capacity",
        0,
        "How many requests a resource can answer in a second. C connections with a service time of s seconds have a "
        "capacity of C/s.",
    ),
    _term(
        "change feed, change data capture",
        2,
        "The commits of a database as a list that other programs can follow, for example to delete what has changed "
        "from a cache.",
    ),
    _term(
        "channel, Pub/Sub",
        9,
        "Redis sends each message that is published to a channel to all its subscribers. It keeps none, so a process "
        "that does not listen misses it.",
    ),
    _term(
        "circuit breaker",
        13,
        "After several failures it refuses calls for a while, so that nobody waits for something that is down.",
    ),
    _term(
        "closed loop",
        0,
        "Clients that wait for an answer before they send the next request. When the system is slow they send less, so "
        "a closed loop hides queues.",
    ),
    _term(
        "cluster, slot",
        7,
        "Several Redis nodes that divide the keys among them. A checksum of a key's name gives its slot, and each slot "
        "is on one node.",
    ),
    _term("collapsed", 5, "The caller did not load. It waited for a load that another caller had already started."),
    _term(
        "connection pool",
        7,
        "Open connections to a server. A command borrows one, instead of opening its own, and then gives it back.",
    ),
    _term(
        "coordinated omission",
        0,
        "A mistake in a load test: its clients wait for slow answers, so requests that were due are not sent, and the "
        "waits that these would have had are not measured.",
    ),
    _term(
        "dual read, upgrade on read",
        11,
        "On a miss, new code looks for the entry that old code has stored, and makes a new value of the old one.",
    ),
    _term(
        "early recomputation, XFetch, probabilistic early expiration",
        6,
        "A reader has an entry loaded again shortly before it expires, at a random moment. The parameter β says how "
        "early, and δ is how long a load takes.",
    ),
    _term(
        "envelope",
        8,
        "What is stored around a value: its key, its version, its remaining life, and a checksum that shows whether it "
        "is whole.",
    ),
    _term("evict", 3, "To remove an entry because there is no room for it. Compare expire and invalidate."),
    _term("eviction policy", 4, "The rule that chooses which entry is removed when the cache is full."),
    _term(
        "expand and contract, parallel change",
        11,
        "A change in three steps: add what is new beside the old, let all use it, remove the old.",
    ),
    _term("expire", 1, "An entry expires when it is older than its TTL. Compare evict and invalidate."),
    _term("failover", 9, "Another server takes the place of one that has failed. It may lack the last writes."),
    _term(
        "false positive",
        10,
        "A Bloom filter says that a key may exist, and the key does not. It never makes the other mistake, a false no.",
    ),
    _term(
        "fence",
        2,
        "A mark that a load gets when it begins. A delete of the key in the same process breaks it, and then the "
        "loaded value is not kept. Between processes a lease does this.",
    ),
    _term("FIFO", 4, "An eviction policy: first in, first out. The entry that was stored first is removed first."),
    _term(
        "fingerprint",
        11,
        "A short checksum of a type. When a field, a name, a type or a default changes, it changes, too.",
    ),
    _term("follower", 5, "A caller that waits for a load which another caller has started."),
    _term(
        "generation",
        11,
        "One of the versions of a service that run at the same time during a deploy, and the entries that it stores.",
    ),
    _term("hit", 1, "The key was found in the cache and could be served."),
    _term("hit ratio, hit rate", 1, "Hits divided by all reads, in short h."),
    _term("interleaving", 2, "One possible order of the steps of several actors that run at the same time."),
    _term(
        "invalidate",
        2,
        "To remove an entry because the value at the origin has changed. Compare evict and expire.",
    ),
    _term(
        "invalidation bus, backplane",
        12,
        "A channel on which a process tells the others that a key has changed, so that they drop their copies.",
    ),
    _term("jitter", 6, "A small random change to each TTL, so that keys stored together do not expire together."),
    _term("knee", 0, "The part of the curve of latency against load where the latency begins to climb steeply."),
    _term("L1, L2", 12, "L1 is the cache inside the process. L2 is the shared cache behind it."),
    _term(
        "lease",
        9,
        "The right to load a key and to fill the cache, given to one caller among all processes. A delete of the key "
        "takes it away.",
    ),
    _term("LFU", 4, "An eviction policy: the entry that was used least frequently is removed first."),
    _term("loader, factory, creator", 1, "The function that a cache calls on a miss to get the value."),
    _term("LRU", 4, "An eviction policy: the entry that was used least recently is removed first."),
    _term(
        "metastable failure",
        13,
        "An overload that continues after its cause is gone, because the overload itself makes more work.",
    ),
    _term("miss", 1, "The key was not found in the cache, or its entry could no longer be served."),
    _term("miss ratio", 4, "Misses divided by all reads, which is 1 − h. It is the share that reaches the origin."),
    _term("negative caching", 2, "To remember for a short time that a key does not exist."),
    _term("open loop", 0, "Requests that come at their own times and do not wait for earlier answers, as users do."),
    _term("OPT", 4, "The best possible choice of what to evict. It needs to know the future, so it serves as a limit."),
    _term(
        "origin, backing store, source of truth, downstream",
        1,
        "What the cache stands in front of, such as a database.",
    ),
    _term(
        "outbox",
        2,
        "A table of what must still be done, such as the deletes from a cache. A row is added in the transaction of "
        "the write, and removed when it is done.",
    ),
    _term("penetration", 10, "Requests for keys that do not exist. A cache of values cannot answer them."),
    _term(
        "percentile, p50, p99",
        0,
        "The p99 is the latency that 99 of 100 requests do not exceed; the p50 is that of half of them.",
    ),
    _term(
        "pipeline", 7, "Several commands that are sent to a server together and answered together, in one round trip."
    ),
    _term("pod, node", 7, "One of several processes that run the same service."),
    _term(
        "poison pill", 8, "Stored bytes that no reader can use. If they are not treated as a miss, every read fails."
    ),
    _term("purge", 3, "To remove the entries that have expired."),
    _term("read-through, inline cache", 1, "The application asks the cache, and the cache itself calls the loader."),
    _term("round trip", 7, "A message to a server and the wait for its answer."),
    _term(
        "S3-FIFO",
        4,
        "An eviction policy with a small queue for new entries and a main queue for those that were used again.",
    ),
    _term("scan", 4, "A run of requests for many keys, each of which is asked for once."),
    _term("scenario", 0, "An async function that runs in virtual time."),
    _term("schema version", 8, "A number for the shape and the meaning of a value, which is stored with it."),
    _term(
        "SIEVE",
        4,
        "An eviction policy: one queue, a mark on each entry that was used, and a hand that removes the first entry "
        "without a mark.",
    ),
    _term(
        "single flight, request coalescing",
        5,
        "At most one load per key at a time in a process. Callers that miss the key meanwhile wait for that load.",
    ),
    _term(
        "stale",
        1,
        "An answer is stale if the origin has a newer value. An entry is called stale when its TTL has passed, "
        "whether or not the origin has a newer value.",
    ),
    _term(
        "stale set",
        2,
        "An old value that is stored after the delete that should have removed it. A fence or a lease prevents it.",
    ),
    _term(
        "stale-if-error",
        6,
        "To serve an entry for some time after its TTL if the origin fails. That time begins with the end of the TTL, "
        "not with the failure.",
    ),
    _term(
        "stale-while-revalidate",
        6,
        "To serve an entry for some time after its TTL while a new value is loaded in the background.",
    ),
    _term(
        "token",
        9,
        "A random name for the right to fill a key. A fill is accepted only with the token that is in Redis, and a "
        "delete removes that.",
    ),
    _term("trace", 4, "The keys that were asked for, in order, as a log records them."),
    _term("TTL, time to live", 1, "How long an entry may be served after it was loaded."),
    _term("undecodable", 7, "Found in the store, but not a valid entry. It is counted and treated as a miss."),
    _term(
        "virtual time",
        0,
        "A clock that jumps to the next event. Experiments are quick, and their results are the same everywhere.",
    ),
    _term(
        "W-TinyLFU",
        4,
        "An eviction policy: a small LRU window, and a sketch of frequencies that decides whether a newcomer may stay.",
    ),
    _term("Zipf's law", 1, "The key of rank r is asked for in proportion to 1/r, so few keys get most requests."),
]
"""All terms, in the order of the alphabet."""


def glossary(term: str) -> None:
    """Print what a term of the course means, such as `glossary("open loop")`, and which chapter introduces it.

    Capitals do not matter. For an unknown term, print the terms that are written most nearly as it is.
    """
    wanted = " ".join(str(term).split()).casefold()
    by_name = {name.casefold(): found for found in TERMS for name in found.names}
    if wanted in by_name:
        found = by_name[wanted]
        said = f"{', '.join(found.names)}: {found.meaning} (chapter {found.chapter})"
    else:
        near = [name for name in by_name if wanted and wanted in name] or difflib.get_close_matches(wanted, by_name)
        names = [by_name[name].names[0] for name in near[:5]]
        hint = f"Did you mean {' or '.join(dict.fromkeys(names))}?" if names else "All terms are in glossary.ipynb."
        said = f"The glossary has no {str(term)!r}. {hint}"
    print(textwrap.fill(said, PAGE, subsequent_indent="    "))
