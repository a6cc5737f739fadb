"""Traces of keys: made by a rule, or read from a CSV file or an access log."""
