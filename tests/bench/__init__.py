"""Benchmarks: each runs alone (`python -m tests.bench.bench_hit`), compares in turns and prints ratios."""
