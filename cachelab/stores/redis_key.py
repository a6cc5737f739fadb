"""How a key becomes a name in Redis: equal keys have one name, and different keys never have the same.

Problem: a name in Redis is a string. If the parts of a key are just joined, 42 and "42" have the same name, and so have
    ("a:b", "c") and ("a", "b:c").
Idea: a number is written as its digits, a UUID as usual, a string in quotes, and a tuple as its parts with a colon
    between them. In strings and bytes, every character that has a meaning here is escaped, as in a URL. A member of an
    enum that is a str or an int, and any other subclass, has the name of the plain key that it is equal to.
Guarantee: different keys have different names; keys that are equal (`==` and `hash`) have the same one. A name has no
    spaces, no braces and no characters that Redis takes for a pattern. `unescaped` turns a name back into its key, and
    refuses any other text.
Not guaranteed: keys of other types: they are refused with a TypeError, and so is an int that Python does not write down
    because it has thousands of digits. That a name is short: each escaped byte takes three characters.
Cost: one pass over the key.
Source: percent-encoding, RFC 3986.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from typing import Any
from urllib.parse import quote, unquote, unquote_to_bytes
from uuid import UUID

__all__ = ["escaped", "plain", "unescaped"]

UUID_LENGTH = 36

_PLAIN: dict[type, Callable[[Any], Hashable]] = {  # the methods of the type itself, which a subclass may override
    int: int.__index__,
    str: str.__str__,
    bytes: lambda key: bytes.__getitem__(key, slice(None)),
    tuple: lambda key: tuple(tuple.__iter__(key)),
    UUID: lambda key: UUID(int=key.int),
    type(None): lambda key: key,
}


def escaped(key: Hashable) -> str:
    """The key as text. Keys that are equal have the same text; keys that differ never do. Strings stand in quotes.

    A key is an int, a str, bytes, a UUID, None, or a tuple of keys. Raises TypeError for anything else.
    """
    key = plain(key)
    if isinstance(key, str):
        return f"'{quote(key, safe='', errors='surrogatepass')}'"
    if isinstance(key, bytes):
        return f"b'{quote(key, safe='')}'"
    if isinstance(key, tuple):
        parts = [f"({escaped(part)})" if isinstance(part, tuple) else escaped(part) for part in key]
        name = ":".join(parts)
        return name if len(parts) > 1 else name + ":"  # (7,) is another key than 7
    try:
        return str(key)  # an int, a UUID or None
    except ValueError:
        raise TypeError("An int with thousands of digits is no key.") from None


def unescaped(text: str) -> Hashable:
    """The key whose text this is: the inverse of `escaped`. Raises ValueError for any other text."""
    try:
        key, _ = _read_key(re.findall(r"[():]|[^():]+", text), 0)
    except RecursionError:
        raise ValueError("This is not the text of a key: it is nested too deeply.") from None
    if escaped(key) != text:
        raise ValueError("This is not the text of a key.")
    return key


def _read_key(tokens: list[str], at: int) -> tuple[Hashable, int]:
    """The key that begins at a token, and where it ends: at its closing parenthesis, or at the end of the text."""
    parts: list[Hashable] = []
    is_tuple = False
    while at < len(tokens) and tokens[at] != ")":
        if tokens[at] == ":":
            is_tuple = True
        elif tokens[at] == "(":
            part, at = _read_key(tokens, at + 1)
            parts.append(part)
        else:
            parts.append(_read_part(tokens[at]))
        at += 1
    if not is_tuple and len(parts) != 1:
        raise ValueError("This is not the text of a key.")
    return tuple(parts) if is_tuple else parts[0], at


def _read_part(text: str) -> Hashable:
    if text.startswith("'"):
        return unquote(text[1:-1], errors="surrogatepass")
    if text.startswith("b'"):
        return unquote_to_bytes(text[2:-1])
    if text == "None":
        return None
    return UUID(text) if len(text) == UUID_LENGTH and text.count("-") == 4 else int(text)


def plain(key: Hashable) -> Hashable:
    """The key without its subclass: 1 for True, "" for a member of an enum of strings whose value is "".

    Raises TypeError for a type that is no key, and for a subclass that makes other keys equal than its base does.
    """
    if type(key) in _PLAIN:
        return key
    for base, made_plain in _PLAIN.items():
        if isinstance(key, base):
            value = made_plain(key)
            if key == value and hash(key) == hash(value):
                return value
    raise TypeError(f"A key is an int, a str, bytes, a UUID, None or a tuple of these, not {type(key).__name__}.")
