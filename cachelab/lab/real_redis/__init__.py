"""A real Redis: finding one, starting a private one, faults on the way to it, and processes that share it."""

__all__: list[str] = []
