"""Simulation: virtual time, and what runs in it: the slow database, faults, a simulated Redis, the race enumerator."""
