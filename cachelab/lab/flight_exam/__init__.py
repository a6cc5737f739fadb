"""The single-flight exam: eight things that can go wrong where several callers share one load."""

__all__: list[str] = []
