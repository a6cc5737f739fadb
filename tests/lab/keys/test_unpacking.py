"""The bytes of any file: compressed, in UTF-16, an archive, cut off or damaged."""

import bz2
import gzip
import importlib
import io
import lzma
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from cachelab import lab
from tests.support.key_files import TABLE, Write

ZSTD = bytes.fromhex(
    "28b52ffd24339901007768656e2c757365722c62797465730a3130302e352c616e6e2c31300a39392e352c626f622c300a3130322c616e6e2c33300a544c1035"
)
"""TABLE, compressed with zstd."""
PACK: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress}


def has_zstd() -> bool:
    """Whether this Python has a module that reads zstd."""
    for name in ("compression.zstd", "zstandard"):
        try:
            importlib.import_module(name)
        except ImportError:
            continue
        return True
    return False


needs_zstd = pytest.mark.skipif(not has_zstd(), reason="needs Python 3.14, or the package zstandard")


@pytest.mark.parametrize("name", ["trace.csv", "trace.csv.gz", "trace"])
@pytest.mark.parametrize("pack", [bytes, *PACK.values()], ids=["plain", *PACK])
def test_a_compressed_file_is_known_by_its_first_bytes(pack: Callable[[bytes], bytes], name: str, write: Write) -> None:
    """The name of the file does not matter."""
    assert lab.read_trace(write(pack(TABLE.encode()), name), "user").keys == ["ann", "bob", "ann"]


@needs_zstd
def test_zstd_is_read(write: Write) -> None:
    """Two streams one after the other are one file."""
    assert lab.read_trace(write(ZSTD), "user").keys == ["ann", "bob", "ann"]
    assert len(lab.read_trace(write(2 * ZSTD), "user")) == 6


def test_zstd_is_refused_where_it_cannot_be_read(monkeypatch: pytest.MonkeyPatch, write: Write) -> None:
    """The sentence says two ways out."""

    def missing(name: str) -> Any:
        raise ImportError(name)

    path = write(ZSTD, "x.zst")
    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(
        ValueError, match=r"x.zst is compressed with zstd, .* `zstd -d`, or run `pip install zstandard`"
    ):
        lab.read_trace(path, "user")


@pytest.mark.parametrize("kind", PACK)
def test_streams_may_stand_one_after_the_other(kind: str, write: Write) -> None:
    """As `cat a.gz b.gz` and parallel packers write them. Zeros between them or after them fill up a block."""
    pack = PACK[kind]
    packed = pack(b"key\na\n") + bytes(4) + pack(b"b\n") + bytes(512)
    trace = lab.read_trace(write(packed))
    assert (trace.keys, trace.malformed) == (["a", "b"], 0)


@pytest.mark.parametrize("kind", PACK)
def test_what_follows_a_stream_and_is_none_is_reported(kind: str, write: Write) -> None:
    """The library's own file objects for bzip2 and xz would ignore it."""
    trace = lab.read_trace(write(PACK[kind](b"key\na\n") + b"b\nc\n"))
    assert (trace.keys, trace.malformed) == (["a"], 1)
    assert trace.examples[0].reason == f"the {kind} file is cut off or damaged here"


@pytest.mark.parametrize("kind", [*PACK, pytest.param("zstd", marks=needs_zstd)])
def test_a_file_that_is_cut_off_is_reported(kind: str, write: Write) -> None:
    """Nothing that is missing is missing in silence."""
    packed = ZSTD if kind == "zstd" else PACK[kind](TABLE.encode())
    for cut in (1, 6, len(packed) // 2):
        try:
            trace = lab.read_trace(write(packed[:-cut]), "user")
        except ValueError as error:
            assert f"(the {kind} file is cut off or damaged here)" in str(error)  # noqa: PT017  # either way is right
        else:
            assert trace.examples[-1].reason == f"the {kind} file is cut off or damaged here"


def tar(packed: str) -> bytes:
    """A tar archive with one file."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode=f"w:{packed}") as file:  # type: ignore[call-overload]  # a mode of its list
        entry = tarfile.TarInfo("trace.csv")
        entry.size = len(TABLE)
        file.addfile(entry, io.BytesIO(TABLE.encode()))
    return archive.getvalue()


def zipped() -> bytes:
    """A zip archive with one file."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("trace.csv", TABLE)
    return archive.getvalue()


@pytest.mark.parametrize("read", [lab.read_trace, lab.read_access_log])
@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (zipped(), "x is a zip archive or a workbook: unpack it, or save the sheet as CSV."),
        (tar(""), "x is a tar archive: unpack it with `tar -xf`, and name a file of it."),
        (tar("gz"), "x is a tar archive: unpack it with `tar -xf`, and name a file of it."),
        (tar("xz"), "x is a tar archive: unpack it with `tar -xf`, and name a file of it."),
        (b"7z\xbc\xaf\x27\x1c\0\4", "x is a 7z archive: unpack it."),
        (b"SQLite format 3\0", "x is a SQLite database: export its table as CSV."),
        (b"PAR1\x15\x04", "x is a Parquet file: export it as CSV."),
    ],
    ids=["zip", "tar", "tar.gz", "tar.xz", "7z", "SQLite", "Parquet"],
)
def test_an_archive_is_refused(read: Callable[..., lab.KeyTrace], content: bytes, sentence: str, write: Write) -> None:
    """It is not read through its container. The sentence says what to do."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the whole text is compared
        read(write(content, "x"))
    assert str(caught.value) == sentence


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_byte_order_mark_tells_the_encoding(encoding: str, pack: Callable[[bytes], bytes], write: Write) -> None:
    """As Excel and PowerShell write files. The mark is no part of the first name."""
    mark = "" if encoding == "utf-8-sig" else "\ufeff"
    trace = lab.read_trace(write(pack(f"{mark}key,n\r\né,1\r\n😀,2\r\n".encode(encoding))))
    assert (trace.keys, trace.malformed) == (["é", "😀"], 0)


def test_utf_16_keeps_different_keys_apart(write: Write) -> None:
    """Also those that are no characters. A file that ends in the middle of a character is reported."""
    halves = [0xD800, 0xD801, 0xDC00]
    content = "\ufeffkey\n".encode("utf-16-le") + b"".join(half.to_bytes(2, "little") + b"\n\0" for half in halves)
    trace = lab.read_trace(write(content))
    assert (len(set(trace.keys)), trace.malformed) == (3, 0)
    assert lab.read_trace(write(content + b"a")).examples[-1].reason == "the UTF-16 file is cut off or damaged here"


@pytest.mark.parametrize("kind", [*PACK, pytest.param("zstd", marks=needs_zstd)])
def test_a_small_file_that_unpacks_to_a_large_one_takes_little_memory(kind: str, write: Write) -> None:
    """64 MB of zeros are one line. It is malformed, and takes a few megabytes of memory, packed with anything."""
    bomb = b"key\na\n" + bytes(64_000_000)
    if kind == "zstd":
        zstandard = pytest.importorskip("zstandard")
        path = write(zstandard.ZstdCompressor().compress(bomb))
    else:
        path = write(PACK[kind](bomb))
    tracemalloc.start()
    trace = lab.read_trace(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (trace.keys, trace.malformed) == (["a"], 1)
    assert peak < 24e6
