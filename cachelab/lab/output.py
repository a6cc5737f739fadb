"""Outputs of which the edition on the web has to know more than their text.

The metadata of an output travel with the stored notebook, and no program shows them. So they hold what a page needs:
all frames of a slider, the words of a figure, a measured number. When the notebooks are tested, the texts are compared
with those of a new run, and a gate compares the metadata with the texts.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

__all__ = ["base64_text", "show_output"]


def show_output(
    text: str,
    more: Mapping[str, Any] | None = None,
    *,
    alt: str | None = None,
    updatable: bool = False,
    **about: object,
) -> Any:
    """Show an output as `text`, or in a better one of the forms in `more` (by MIME type) where there is one.

    `about` goes into its metadata, under "cachelab". `alt` says what a picture shows, for programs that do not draw it.
    Returns the handle of an output that is `updatable`, and otherwise None. Outside a notebook the text is printed.
    """
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.display import display

    if not InteractiveShell.initialized():
        print(text)
        return None
    metadata: dict[str, object] = {"cachelab": about}
    if alt is not None:
        metadata["image/png"] = {"alt": alt}
    data = {**(more or {}), "text/plain": text}
    return display(data, raw=True, metadata=metadata, display_id=updatable or None)  # type: ignore[no-untyped-call]


def base64_text(png: bytes) -> str:
    """A picture's bytes as notebooks store them."""
    return base64.b64encode(png).decode()
