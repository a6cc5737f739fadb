"""The single-flight exam: eight things that can go wrong where several callers share one load."""
