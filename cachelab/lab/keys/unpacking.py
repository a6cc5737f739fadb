"""The bytes of a file as a text in UTF-8: unpacked if it is compressed, and converted if it is UTF-16.

What a file is shows in its first bytes; its name does not matter. An archive, or a file of a program, is refused in a
sentence that says what to do. Of a file that is cut off or damaged, the part before the damage is read.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import importlib
import lzma
import zlib
from collections.abc import Callable, Iterator
from io import BufferedReader
from typing import Any

__all__ = ["BLOCK", "Unpacking"]

BLOCK = 2**20  # bytes that are read at once
ZSTANDARD_STEP = 64  # bytes that the package zstandard is given at once: they unpack to 2 MB at most
XZ_MEMORY = 2**27  # bytes; the strongest preset of xz needs half of it

GZIP, XZ, ZSTD = b"\x1f\x8b", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"
BZIP2 = tuple(b"BZh%d%b" % (level, mark) for level in range(1, 10) for mark in (b"1AY&SY", b"\x17rE8P\x90"))
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
REFUSED = [
    (0, b"PK\x03\x04", "a zip archive or a workbook: unpack it, or save the sheet as CSV"),
    (0, b"PK\x05\x06", "an empty zip archive: name a file with lines"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it"),
    (0, b"\x1f\x9d", "compressed with `compress`: unpack it with `uncompress`"),
    (0, b"\x04\x22\x4d\x18", "compressed with lz4: unpack it with `lz4 -d`"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a document of an older Office: save its sheet as CSV"),
    (0, b"SQLite format 3\0", "a SQLite database: export its table as CSV"),
    (0, b"PAR1\x15", "a Parquet file: export it as CSV"),
    (257, b"ustar", "a tar archive: unpack it with `tar -xf`, and name a file of it"),
]
"""What is refused: where its mark stands, the mark, and what it is."""


class Unpacking:
    """Iterate over it for blocks of bytes. At the end `damage` says what is wrong there, or is empty."""

    def __init__(self, name: str, file: BufferedReader, done: Callable[[int], None]) -> None:
        self.damage = ""
        self._name = name
        self._file = file
        self._done = done

    def __iter__(self) -> Iterator[bytes]:
        kind, blocks = self._unpacked()
        convert: Callable[[bytes], bytes] = bytes
        decode = codecs.getincrementaldecoder("utf-16")("surrogatepass").decode
        try:
            block = next(blocks, b"")
            self._refuse_archives(block)
            if block.startswith(UTF_16):
                convert = lambda block: decode(block).encode("utf-8", "surrogatepass")  # noqa: E731
            block = block.removeprefix(codecs.BOM_UTF8)
            while block:
                yield convert(block)
                self._done(self._file.tell())
                block = next(blocks, b"")
            decode(b"", True)
        except (EOFError, gzip.BadGzipFile, zlib.error, _Damaged):
            self.damage = f"the {kind} file is cut off or damaged here"
        except UnicodeDecodeError:
            self.damage = "the UTF-16 file is cut off or damaged here"

    def _unpacked(self) -> tuple[str, Iterator[bytes]]:
        """How the file is compressed, and its blocks."""
        head = self._file.peek(16)[:16]
        if head.startswith(GZIP):
            read = gzip.GzipFile(fileobj=self._file).read1
            return "gzip", iter(lambda: read(BLOCK), b"")
        if head.startswith(BZIP2):
            return "bzip2", _streams(self._file, bz2.BZ2Decompressor)
        if head.startswith(XZ):
            return "xz", _streams(self._file, lambda: lzma.LZMADecompressor(memlimit=XZ_MEMORY))
        if head.startswith(ZSTD):
            return "zstd", self._zstd()
        return "plain", iter(lambda: self._file.read(BLOCK), b"")

    def _zstd(self) -> Iterator[bytes]:
        try:
            return _streams(self._file, importlib.import_module("compression.zstd").ZstdDecompressor)
        except ImportError:
            pass
        try:
            unpacker = importlib.import_module("zstandard").ZstdDecompressor()
            return _streams(self._file, unpacker.decompressobj, ZSTANDARD_STEP)
        except ImportError:
            raise ValueError(
                f"{self._name} is compressed with zstd, which Python reads from 3.14 on: unpack it with `zstd -d`, "
                "or run `pip install zstandard`."
            ) from None

    def _refuse_archives(self, first: bytes) -> None:
        for place, mark, what in REFUSED:
            if first.startswith(mark, place):
                raise ValueError(f"{self._name} is {what}.")


class _Damaged(Exception):
    """Compressed data that cannot be unpacked: bz2 raises OSError for it, and the zstd modules errors of their own."""


def _streams(file: BufferedReader, new: Callable[[], Any], step: int = BLOCK) -> Iterator[bytes]:
    """Unpack the compressed streams that stand one after the other in a file. Raises EOFError if the last is cut off.

    The file objects of `bz2` and `lzma` would ignore what follows a stream and is none.
    """
    unpacker = new()
    limit = [BLOCK] if step == BLOCK else []
    while True:
        data = b""
        if unpacker.eof:
            data = unpacker.unused_data.lstrip(b"\0")  # zeros may follow a stream, to fill up a block
            while not data:
                if not (data := file.read(step)):
                    return
                data = data.lstrip(b"\0")
            unpacker = new()
        elif getattr(unpacker, "needs_input", True) and not (data := file.read(step)):
            raise EOFError
        try:
            unpacked = unpacker.decompress(data, *limit)
        except Exception as error:
            raise _Damaged from error
        if unpacked:
            yield unpacked
