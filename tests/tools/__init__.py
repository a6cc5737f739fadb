"""Tools for authors; the quick tests use none of them."""
