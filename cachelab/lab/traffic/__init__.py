"""Traffic: workloads, their replay against a cache, and the result of a replay, request by request."""
