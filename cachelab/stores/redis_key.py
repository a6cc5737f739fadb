"""How a key becomes a name in Redis: equal keys have one name, and different keys never have the same.

Problem: a name in Redis is a string. If the parts of a key are just joined, 42 and "42" have the same name, and so have
    ("a:b", "c") and ("a", "b:c").
Idea: a number is written as its digits, a string in quotes, and a tuple as its parts with a colon between them. In
    strings and bytes, every character that has a meaning here is escaped, as in a URL.
Guarantee: different keys have different names; keys that are equal have the same one. A name has no spaces, no braces
    and no characters that Redis takes for a pattern.
Not guaranteed: keys of other types: they are refused with a TypeError. That a name is short: each escaped byte takes
    three characters.
Cost: one pass over the key.
Source: percent-encoding, RFC 3986.
"""

from __future__ import annotations

from collections.abc import Hashable
from urllib.parse import quote

__all__ = ["escaped"]


def escaped(key: Hashable) -> str:
    """The key as text. Keys that are equal have the same text; keys that differ never do. Strings stand in quotes.

    A key is an int, a str, bytes, None, or a tuple of keys. Raises TypeError for anything else.
    """
    if isinstance(key, int):
        return str(int(key))  # True is 1, as in a dict
    if isinstance(key, str):
        return f"'{quote(key, safe='', errors='surrogatepass')}'"
    if isinstance(key, bytes):
        return f"b'{quote(key, safe='')}'"
    if key is None:
        return "None"
    if isinstance(key, tuple):
        parts = [f"({escaped(part)})" if isinstance(part, tuple) else escaped(part) for part in key]
        return ":".join(parts) + ":" * (len(parts) < 2)
    raise TypeError(f"A key is an int, a str, bytes, None or a tuple of these, not {type(key).__name__}.")
