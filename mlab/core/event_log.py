"""Event logs as files: read while they grow, packed once their run is completed, and bounded where they belong to none.

A packed log is ``<run_id>.jsonl.gz`` in the place of ``<run_id>.jsonl``, and nobody unpacks it: who appends to one
after all begins a plain file beside it, which stays plain, and who reads reads both.
"""

from __future__ import annotations

import errno
import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from mlab.core import lock

LARGEST = 1_000_000
"""Bytes of a log that belongs to no run, before it begins anew; the one before is kept."""


class EventLog:
    """The event log of a run, read from a place on while it grows, or when it has been packed."""

    def __init__(self, path: Path, start: int = 0) -> None:
        self._path, self._read = path, start

    @staticmethod
    def size(path: Path) -> int:
        """How far a log has come, packed or not; 0 where there is none yet."""
        with suppress(OSError):
            return len(read(path)) if packed(path).exists() else path.stat().st_size
        return 0

    def news(self) -> Iterator[dict[str, Any]]:
        """The events that have been added; a line that is still being written comes the next time."""
        with suppress(OSError):
            whole, _, _ = read(self._path, self._read).rpartition(b"\n")
            self._read += len(whole) + bool(whole)
            for line in whole.splitlines():
                with suppress(orjson.JSONDecodeError):  # one that was cut short
                    yield orjson.loads(line)


def packed(path: Path) -> Path:
    """Where a log lies when it is packed."""
    return path.with_name(f"{path.name}.gz")


def read(path: Path, start: int = 0) -> bytes:
    """A log from a place on, packed or not; OSError where it is not there or cannot be read."""
    try:
        before = _unpacked(packed(path))
    except FileNotFoundError:
        with path.open("rb") as log:
            log.seek(start)
            return log.read()
    since = b""
    with suppress(FileNotFoundError):
        since = path.read_bytes()
    return (since if since.startswith(before) else before + since)[start:]


def is_plain(path: Path) -> bool:
    """Whether all of a log is in the plain file; a packed one beside it is of a packer that was killed."""
    try:
        return path.exists() and path.read_bytes().startswith(_unpacked(packed(path)))
    except FileNotFoundError:
        return path.exists()


def pack(path: Path) -> int:
    """Pack a plain log that nobody writes any longer; the bytes that this saves, 0 where there is none.

    It is written aside, read back, and put in place before the plain one is removed; OSError leaves it as it was. One
    process packs a log at a time, and finds it packed if it comes second.
    """
    try:
        with path.open("r+b") as log:  # who packed it before has removed it, perhaps for another to begin
            mine = lock.locked(log, shared=False) is not False and lock.is_there(log, path)
            return _packed_alone(path) if mine and is_plain(path) else 0
    except FileNotFoundError:
        return 0


def _packed_alone(path: Path) -> int:
    content, place = path.read_bytes(), packed(path)
    aside = place.with_name(f"{place.name}.new")
    try:
        _write(aside, content)
    except OSError:
        aside.unlink(missing_ok=True)
        raise
    aside.rename(place)
    folder = os.open(place.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    if path.stat().st_size > len(content):  # somebody writes to it after all: who reads has both until the next time
        return 0
    path.unlink()
    return len(content) - place.stat().st_size


def _write(aside: Path, content: bytes) -> None:
    with aside.open("wb") as file:
        file.write(gzip.compress(content, mtime=0))
        file.flush()
        os.fsync(file.fileno())
    if _unpacked(aside) != content:
        raise OSError(errno.EIO, "does not read back as it was written; check the disk", str(aside))


def limit(path: Path) -> None:
    """Begin a log anew that has grown too large, and keep it beside as ``<name>.old``."""
    with suppress(OSError):
        if path.stat().st_size > LARGEST:
            path.replace(path.with_name(f"{path.name}.old"))


def _unpacked(path: Path) -> bytes:
    try:
        return gzip.decompress(path.read_bytes())
    except (EOFError, zlib.error) as error:
        raise OSError(errno.EIO, f"damaged ({error}); move it away", str(path)) from error
