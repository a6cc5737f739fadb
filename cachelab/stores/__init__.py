"""Where entries are kept: in this process, or in Redis for all processes.

    memory              the store in this process: a bound, a lifetime for each entry, an eviction policy
    locked              a lock around it, for threads
    cachetools_store    the same promises, kept by the library cachetools
    redis_store         the store in Redis, and a client for it
    also_deleting       around a store: a delete also reaches the store of the next release
    fingerprint         for the key of a store: another type has another one

The rest are parts of these:

    in_process          what `memory` and `locked` have in common
    expiry_heap         when the entries of `memory` expire
    redis_key           how a key becomes a name in Redis
    codec               how an entry becomes bytes, and whether bytes are an entry
    read_batcher        how reads at the same time share a round trip
    redis_requests      how long a request may take, and what then becomes of its connection
"""
