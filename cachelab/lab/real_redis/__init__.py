"""A real Redis: how to find one, a private one, faults on the way to it, and processes that share it."""
