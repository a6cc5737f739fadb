"""A fingerprint of a type: another shape has another one, so a changed type cannot meet bytes of the old shape.

Problem: somebody adds a field, and forgets to raise the version in the key. New code then reads old bytes, and fills in
    a default that is not true of them.
Idea: hash the description of the type, and put the hash into the namespace of its keys. It changes with the type, and
    nobody has to think of it.
Guarantee: the same declaration has the same fingerprint in every process, on every machine and every version of Python.
    Another field, another name of a field, another type of a field, a field that is no longer required, another
    default that is a plain value, or another member of an enum gives another one, at any depth.
Not guaranteed: that it changes if the meaning changes and the shape does not: a `credit` that was in euros and now is
    in cents. It does not see what a function does either (a `default_factory`, a hook of the type). It also changes
    for nothing, which costs a cold start: when fields are put in another order, when a class gets another name, when an
    int becomes a float, which would have read the old bytes. Two shapes share a fingerprint once in four billion.
Cost: one pass over the description, some tens of microseconds: call it once, when the program starts.
Source: the idea is that of a schema fingerprint in Apache Avro, https://avro.apache.org/docs/1.12.0/specification.
"""

from __future__ import annotations

import enum
from hashlib import blake2b
from typing import Any, get_origin

from msgspec import inspect as description

__all__ = ["schema_fingerprint"]

DIGEST_BYTES = 4


def schema_fingerprint(value_type: Any) -> str:
    """Eight hexadecimal digits for a type that msgspec knows: `namespace=f"user-{schema_fingerprint(User)}"`.

    Raises TypeError for a type that msgspec does not know.
    """
    text = _text(description.type_info(value_type))
    return blake2b(text.encode(), digest_size=DIGEST_BYTES).hexdigest()


def _text(part: Any, around: tuple[Any, ...] = ()) -> str:
    """A part of a description as a text in which nothing depends on the process. `around` are the types it is in."""
    if isinstance(part, description.Type | description.Field):
        return _described(part, around)
    if isinstance(part, tuple):
        return f"[{', '.join(_text(each, around) for each in part)}]"
    if isinstance(part, enum.Enum):
        return f"{type(part).__name__}.{part.name}"
    if part is None or isinstance(part, str | int | float | bytes):
        return repr(part)
    kind = get_origin(part) or part  # `Page` of `Page[User]`
    if not isinstance(kind, type):  # another default, or a function that makes one
        return type(part).__name__
    members = [f"{name}={member.value!r}" for name, member in getattr(kind, "__members__", {}).items()]
    return f"{kind.__name__}[{', '.join(members)}]"


def _described(part: description.Type | description.Field, around: tuple[Any, ...]) -> str:
    for distance, outer in enumerate(reversed(around)):
        if outer is part:  # a type that is in itself, such as a tree
            return f"the type around, {distance} up"
    attributes = {name: getattr(part, name) for name in part.__struct_fields__}
    if isinstance(part, description.Type):  # a release of msgspec may know more constraints, which are not set
        attributes = {name: value for name, value in attributes.items() if value is not None and value is not False}
    texts = {name: _text(value, (*around, part)) for name, value in attributes.items()}
    if isinstance(part, description.UnionType):  # `int | str` is `str | int`
        texts["types"] = str(sorted(_text(each, (*around, part)) for each in part.types))
    return f"{type(part).__name__}({', '.join(f'{name}={text}' for name, text in texts.items())})"
