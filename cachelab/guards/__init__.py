"""Guards: wrappers of a loader, which protect the origin, or of a store, which protect the caller.

    time_limit   ends a call that takes too long
    bulkhead     lets few calls run and few wait, and refuses the others
    breaker      asks no more what has failed several times in a row, and tries it again later

The rest is a part of these:

    guard        what they have in common, and their order
"""
