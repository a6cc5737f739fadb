"""Benchmarks. Each runs alone (`python -m tests.bench.bench_hit`); its competitors take turns; it prints ratios."""
