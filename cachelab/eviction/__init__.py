"""Which entry is evicted when the cache is full: one policy in each file, the best possible choice, a formula, curves.

    fifo, lru, lfu      the classics: evict by age, by last use, or by number of uses
    sieve, s3fifo       queues in which a hit moves nothing
    wtinylfu            a new key enters the main cache only if it is more popular than the victim
    sketch              the counts that wtinylfu needs, of many keys in a few bytes
    opt                 the best choice possible, for a cache that knows the future
    che                 what LRU's hit ratio will be, from a formula
    curves              how many hits a policy has on a trace of keys, at one size (`count_hits`) or at many, and with
                        entries that expire (`count_hits_with_ttl`)
    policy              the interface of them all, `Policy`

A store and `count_hits` do the same four things with a policy:

    hit(key)            a resident key was used
    evict() -> key      there is no room: which key is evicted?
    add(key)            a new key has come, after room was made
    remove(key)         a key was deleted, or has expired

A policy keeps keys and no values, so it fits any store. The store decides what "full" means: more entries than `bound`,
more bytes than allowed, or both. That is why `evict` and `add` are two calls: a large entry needs as many evictions as
it takes until it fits,

    while len(policy) >= policy.bound or used_bytes + size > max_bytes:
        forget(policy.evict())
    policy.add(key)

and room is made *before* the new key is added. Otherwise the new key could be evicted itself (LFU), or displace another
that it should not (S3-FIFO). A policy's shares, such as a tenth, are shares of the keys that are resident, so they hold
even if the bytes run out before the number of entries does.

`resident` maps the keys that are in the cache. It is the policy's own dict: `count_hits` looks a key up in it as a
store looks it up in its entries, so no policy needs a second dict. `hit` may be a method of a C type (for LRU it is
`OrderedDict.move_to_end`), so a policy adds one call to a store's hit. `count_hits` is these calls in a loop of eight
lines, and so the curves show what the store does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cachelab._facade import lazy_names

if TYPE_CHECKING:
    from cachelab.eviction.che import che_hit_ratio as che_hit_ratio, che_time as che_time
    from cachelab.eviction.curves import (
        HitCount as HitCount,
        count_hits as count_hits,
        count_hits_with_ttl as count_hits_with_ttl,
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
