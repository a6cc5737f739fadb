"""The content of files from which tests read traces of keys."""

from collections.abc import Callable
from pathlib import Path

Write = Callable[..., Path]
"""The type of the fixture `write`."""

TABLE = "when,user,bytes\n100.5,ann,10\n99.5,bob,0\n102,ann,30\n"


def log(*requests: str, when: str = "10/Oct/2000:13:55:36 -0700") -> str:
    """An access log with a line for each of these requests, given with status and size, all at this time."""
    return "".join(f"192.0.2.7 - - [{when}] {request}\n" for request in requests)
