"""The single-flight exam: eight things that go wrong where callers share a load."""

__all__: list[str] = []
