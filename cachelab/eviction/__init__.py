"""Who leaves when the cache is full: one policy per file, a yardstick, a formula, and the replay of traces.

    fifo, lru, lfu      the classics: by age, by last use, by number of uses
    sieve, s3fifo       queues that move nothing on a hit
    wtinylfu            a popularity contest at the door, on the counters of sketch
    opt                 the best that was possible, for whoever knows the future
    che                 what LRU will do, from a formula
    replay              hits of any of them on a trace of keys, at one size or at many

A policy serves a store and a replay, and both do the same four things with it (`Policy`, in policy.py):

    hit(key)            a resident key was used
    evict() -> key      there is no room: who leaves?
    add(key)            a key has come, after room was made
    remove(key)         a key was deleted, or has expired

The policy keeps keys and no values, so that it fits any store. The store decides what full means: more entries than
`bound`, more bytes than it may hold, or both. So `evict` and `add` are two calls: a large entry takes `evict` as often
as it needs until it fits,

    while len(policy) >= policy.bound or used_bytes + size > max_bytes:
        forget(policy.evict())
    policy.add(key)

and room is made *before* the newcomer is in, who could otherwise be the one to leave (LFU) or crowd out another
(S3-FIFO). Shares such as a tenth are of the keys that are there, so they hold when bytes are what is short.

`resident`, whose keys are those that are in, is the policy's own dict: a replay looks a key up in it as a store looks
one up in its entries, and no policy keeps a second dict for that. `hit` may be a method of a C type (for LRU it is
`OrderedDict.move_to_end`), so to a store's hit a policy adds one call. A replay is these calls in a loop of eight lines
(`count_hits`): what the curves show is what the store does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachelab._facade import lazy_names

if TYPE_CHECKING:
    from cachelab.eviction.che import che_hit_ratio as che_hit_ratio, che_time as che_time
    from cachelab.eviction.curves import (
        HitCount as HitCount,
        count_hits as count_hits,
        lru_curve as lru_curve,
        miss_ratio_curve as miss_ratio_curve,
        stack_distances as stack_distances,
    )
    from cachelab.eviction.fifo import FIFO as FIFO
    from cachelab.eviction.lfu import LFU as LFU
    from cachelab.eviction.lru import LRU as LRU
    from cachelab.eviction.opt import OPT as OPT
    from cachelab.eviction.policy import Policy as Policy
    from cachelab.eviction.s3fifo import S3FIFO as S3FIFO
    from cachelab.eviction.sieve import SIEVE as SIEVE
    from cachelab.eviction.sketch import Sketch as Sketch
    from cachelab.eviction.wtinylfu import WTinyLFU as WTinyLFU

else:
    __all__, __getattr__, __dir__ = lazy_names(__name__)
