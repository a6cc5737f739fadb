"""Traffic: workloads, playing them against a cache, and the result, request by request."""

__all__: list[str] = []
