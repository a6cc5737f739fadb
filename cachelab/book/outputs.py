"""The outputs of a cell as HTML. What a page needs beyond their text, `cachelab.lab.output` put into their metadata."""

from __future__ import annotations

import base64
import hashlib
import re
import struct
from collections.abc import Mapping
from html import escape
from typing import Any

from cachelab.book.text import scrolling

__all__ = ["Outputs"]

PIXELS = 1.5
"""How many pixels of a stored figure lie on one of the page: figures are 860 pixels wide, and sharp."""
STYLE = re.compile(r' style="text-align: (\w+)"')


class Outputs:
    """Makes HTML of the outputs of one page, and collects its pictures."""

    def __init__(self, page: str) -> None:
        """`page` is the page's name, under which the reader's browser keeps the guesses."""
        self.page = page
        self.pictures: dict[str, bytes] = {}
        self._controls = 0

    def html(self, output: Mapping[str, Any]) -> str:
        """One output. It is empty for what another one brings: a slider has its first frame, a figure its words."""
        about = output.get("metadata", {}).get("cachelab", {})
        if "figure" in about:
            return self._figure(output, **about["figure"])
        if "slider" in about:
            return self._slider(**about["slider"])
        if "prediction" in about:
            return self._prediction(**about["prediction"])
        if "measurement" in about:
            return self._measurement(**about["measurement"])
        if "table" in about:
            table = STYLE.sub(r' class="\1"', output["data"]["text/html"])  # a strict page has no styles of its own
            return scrolling(table)
        if "first_frame" in about or "words" in about:
            return ""
        if output["output_type"] == "stream":
            return _text(output["text"])
        if output["output_type"] == "error":
            return _text(f"{output['ename']}: {output['evalue']}", "error")
        return _text(output["data"].get("text/plain", ""))

    def _figure(self, output: Mapping[str, Any], title: str, words: str) -> str:
        image = self.image(base64.b64decode(output["data"]["image/png"]), title)
        return (
            f'<figure><div class="picture scroll">{image}</div>'
            f"<details><summary>In words</summary><p>{escape(words)}</p></details></figure>\n"
        )

    def image(self, data: bytes, title: str, kind: str = "") -> str:
        """The element of a PNG, whose file is named for what is in it, so that equal pictures share one."""
        name = f"img/{hashlib.sha256(data).hexdigest()[:16]}.png"
        self.pictures[name] = data
        width, height = (round(side / PIXELS) for side in struct.unpack(">II", data[16:24]))
        size = f'width="{width}" height="{height}"'
        return f'<img src="{name}" {size} alt="{escape(title)}" loading="lazy" decoding="async"{kind}>'

    def _slider(self, name: str, frames: list[dict[str, str]]) -> str:
        """All frames lie in one place, and one of them is visible. So nothing moves when another takes its turn."""
        self._controls += 1
        control, what = f"slider-{self._controls}", escape(name)
        images, words = [], []
        for number, frame in enumerate(frames):
            now = "" if number else ' class="now"'
            images.append(
                self.image(base64.b64decode(frame["png"]), f"{frame['title']} ({name} = {frame['label']})", now)
            )
            label = escape(frame["label"])
            words.append(f'<li data-label="{label}"{now}><b>{what} = {label}:</b> {escape(frame["words"])}</li>')
        return (
            f'<figure class="slider"><div class="picture scroll"><div class="frames">{"".join(images)}</div></div>'
            f'<div class="control" hidden><label for="{control}">{what}</label>'
            f'<button type="button" data-step="-1" aria-label="{what}: step back">‹</button>'
            f'<input type="range" id="{control}" min="0" max="{len(frames) - 1}" value="0" autocomplete="off">'
            f'<button type="button" data-step="1" aria-label="{what}: step on">›</button>'
            f'<span class="value"><output for="{control}" aria-live="off"></output></span></div>'
            f'<p class="unseen" role="status"></p>'
            f"<details><summary>In words, every step</summary><ul>{''.join(words)}</ul></details></figure>\n"
        )

    def _prediction(self, name: str, question: str, unit: str) -> str:
        """A question with a field for the guess, which the page keeps. Without a script it is a question."""
        field = f"guess-{_identifier(name)}"
        return (
            f'<form class="prediction" data-key="{escape(self._key(name))}" autocomplete="off">'
            f'<p class="label">Your prediction</p><p><label for="{field}">{escape(question)}</label></p>'
            f'<p class="answer" hidden><input id="{field}" inputmode="decimal" size="8">'
            f' <span>{escape(unit)}</span> <button type="submit">Keep my guess</button></p>'
            '<p class="reply" role="status">Write your guess down before you read on.</p></form>\n'
        )

    def _measurement(self, name: str, truth: float, unit: str, too_low: str, too_high: str) -> str:
        """What was measured. The script hides it until there is a guess, and then compares the two."""
        about = {"key": self._key(name), "truth": f"{truth!r}", "low": too_low, "high": too_high}
        data = "".join(f' data-{key}="{escape(value)}"' for key, value in about.items())
        return (
            f'<div class="measurement"{data}><p class="label">Measured</p>'
            f'<p class="truth"><b>{truth:g} {escape(unit)}</b>. <span class="reply"></span></p>'
            f'<p class="veil" hidden><a href="#guess-{_identifier(name)}">Guess first</a>, or '
            f'<button type="button">show the number</button></p></div>\n'
        )

    def _key(self, name: str) -> str:
        """The name under which the reader's browser keeps a guess."""
        return f"{self.page}:{name}"


def _identifier(name: str) -> str:
    return re.sub(r"\W+", "-", name)


def _text(text: str, kind: str = "text") -> str:
    """A block of plain text, or nothing for nothing."""
    return f'<pre class="{kind} scroll">{escape(text.rstrip())}</pre>\n' if text.strip() else ""
