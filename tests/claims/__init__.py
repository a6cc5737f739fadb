"""What the chapters say of random samples, a module for each chapter. `tests/claims/claim.py` says how."""
