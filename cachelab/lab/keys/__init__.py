"""Traces of keys: made by rule, read from a CSV file or an access log."""

__all__: list[str] = []
