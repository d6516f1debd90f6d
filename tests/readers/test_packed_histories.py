"""Packed files are read as they are unpacked, whatever their names; what is wrong with them is one sentence, and costs little."""

import bz2
import gzip
import io
import lzma
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from test_recorded_histories import EDN, LOG

from killpoint.properties.readers import ReadError, read_history
from killpoint.properties.readers.files import decode

PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstandard.ZstdCompressor(write_checksum=True).compress,
}


@pytest.mark.parametrize("packing", PACK)
@pytest.mark.parametrize("data", [EDN, LOG])
def test_a_packed_file_is_read_whatever_its_name(packing: str, data: bytes, tmp_path: Path) -> None:
    plain, packed = tmp_path / "plain.gz", tmp_path / "history.edn"
    plain.write_bytes(data)
    pack = PACK[packing]
    packed.write_bytes(pack(data))
    assert read_history(packed) == read_history(plain)
    packed.write_bytes(pack(data[:100]) + pack(data[100:]))
    assert read_history(packed) == read_history(plain), "two of them, one after another, are one"


@pytest.mark.parametrize("packing", PACK)
def test_a_packed_file_that_was_cut_off_anywhere_is_refused(packing: str) -> None:
    whole = PACK[packing](LOG)
    for end in range(8, len(whole)):
        with pytest.raises(ReadError, match=f"the {packing} file ends too early: it seems to be truncated|damaged"):
            decode(io.BytesIO(whole[:end]), "h")


@pytest.mark.parametrize("packing", PACK)
def test_a_packed_file_that_is_damaged_is_refused(packing: str) -> None:
    refused = 0
    whole = PACK[packing](LOG)
    for place in range(12, len(whole) - 8):
        damaged = bytearray(whole)
        damaged[place] ^= 0x55
        try:
            decode(io.BytesIO(damaged), "h")
        except ReadError:
            refused += 1
    assert refused > 0.9 * (len(whole) - 20)


@pytest.mark.parametrize(
    ("packing", "junk"),
    [("bzip2", b" "), ("xz", b"; a comment\n"), ("zstd", b"INFO nothing happens\n"), ("zstd", b"; a comment\n"), ("bzip2", b"9")],
)
def test_what_unpacks_to_too_much_is_refused(packing: str, junk: bytes, tmp_path: Path) -> None:
    """A hundred megabytes from a few kilobytes, behind a history that is right: a few seconds, in little memory."""
    path = tmp_path / "bomb"
    pack = PACK[packing]
    filling = pack(junk * (5_000_000 // len(junk)))
    path.write_bytes(pack(LOG if b"INFO" in junk else EDN) + filling * 20)
    code = (
        "import resource, sys; from killpoint.properties.readers import *\n"
        "try: read_history(sys.argv[1])\n"
        "except ReadError as error: print(error)\n"
        "used = resource.getrusage(resource.RUSAGE_SELF)\nprint(used.ru_maxrss, used.ru_utime)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True, timeout=60)
    sentence, used = done.stdout.splitlines()
    kilobytes, seconds = map(float, used.split())
    assert sentence.startswith(str(path)), done.stdout
    assert sentence.endswith("a single token is longer than 4194304 characters" if junk == b"9" else "if it is a history")
    assert kilobytes < 250_000
    assert seconds < 10


def test_packed_in_packed_and_archives_of_several_files_are_refused() -> None:
    with pytest.raises(ReadError, match="this is zstd inside gzip: unpack it once"):
        decode(io.BytesIO(gzip.compress(zstandard.compress(LOG))), "h")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("history.edn", EDN)
    with pytest.raises(ReadError, match="this is a zip archive, which may hold several files"):
        decode(archive, "h")
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        tar.addfile(tarfile.TarInfo("history.edn"), io.BytesIO())
    with pytest.raises(ReadError, match="this is a tar archive"):
        decode(archive, "h")


def test_byte_order_marks() -> None:
    for data in (EDN, LOG):
        assert decode(io.BytesIO(b"\xef\xbb\xbf" + data), "h") == decode(io.BytesIO(data), "h")
    with pytest.raises(ReadError, match="UTF-16 text: save it as UTF-8"):
        decode(io.BytesIO(LOG.decode().encode("utf-16")), "h")


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, what in ((pipe, "a pipe"), (Path("/dev/zero"), "a device")):
        with pytest.raises(ReadError, match=f"this is {what}, not a file"):
            read_history(path)
    with pytest.raises(ReadError, match="cannot be read: Is a directory"):
        read_history(tmp_path)


def test_progress_is_told_in_bytes_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "history"
    data = gzip.compress(LOG + os.urandom(600_000).hex().encode() + b"\n")
    path.write_bytes(data)
    told: list[tuple[int, int]] = []
    read_history(path, lambda done, total: told.append((done, total)))
    assert len(told) > 2
    assert told[-1] == (len(data), len(data))
    assert told == sorted(told)
