"""Event logs that nobody writes any longer, packed: ``<run_id>.jsonl.gz`` in the place of ``<run_id>.jsonl``.

Whoever appends to a log has a shared lock on it, and packs none out of the other's hands. What is written aside is put
in place whole, and only then the other file is removed: where both are there, somebody was killed in between, and
the plain one is the log. So a log is neither lost nor doubled, and places in it stay what they were.
"""

from __future__ import annotations

import errno
import fcntl
import gzip
import os
import time
import zlib
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import IO

PATIENCE_S = 5.0
"""Longest wait for a log that is being packed; a megabyte takes some milliseconds."""


def packed(path: Path) -> Path:
    """Where a log lies when it is packed."""
    return path.with_name(f"{path.name}.gz")


def read(path: Path, start: int = 0) -> bytes:
    """A log from a place on, packed or not.

    Raises:
        OSError: it is not there, or cannot be read.
    """
    with suppress(FileNotFoundError):
        return _plain(path, start)
    with suppress(FileNotFoundError):
        return _unpacked(packed(path))[start:]
    return _plain(path, start)  # unpacked in between


def size(path: Path) -> int:
    """Bytes of a log before it was packed; 0 where there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        with suppress(OSError):
            return len(read(path))
        return 0


def opened(path: Path) -> FileIO:
    """A log to append to: made where there is none, unpacked where it is packed, and not packed until it is closed.

    Raises:
        OSError: it cannot be written, or is being packed for too long.
    """
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        # Asked in this order: a log that is not there has been packed by now, or never was.
        log = _existing(path)
        if log is None and not _unpack(path):
            log = path.open("ab", buffering=0)
        if log is not None:
            if _locked(log, fcntl.LOCK_SH) and _in_place(log, path):
                return log
            log.close()
        time.sleep(0.005)
    raise OSError(errno.EAGAIN, "another process is packing it", str(path))


def pack(path: Path) -> int:
    """Pack a log; the bytes that this saves, or 0 where somebody writes it or it is not there.

    Raises:
        OSError: it could not be packed, and is as it was.
    """
    try:
        log = path.open("r+b")
    except FileNotFoundError:
        return 0
    with log:
        if not _locked(log, fcntl.LOCK_EX) or not _in_place(log, path):
            return 0
        content = log.read()
        place = packed(path)
        _put(place, gzip.compress(content, mtime=0), content)
        path.unlink()
        return len(content) - place.stat().st_size


def _unpack(path: Path) -> bool:
    """Unpack a log, unless another process does; whether there is one."""
    try:
        source = packed(path).open("r+b")
    except FileNotFoundError:
        return False
    with source:
        if _locked(source, fcntl.LOCK_EX) and _in_place(source, packed(path)) and not path.exists():
            content = _unpacked(packed(path))
            _put(path, content, content)
            packed(path).unlink()
    return True


def _put(place: Path, written: bytes, content: bytes) -> None:
    """Put a log in place whole, after it has been read back; ``content`` is what it has to hold."""
    aside = place.with_name(f"{place.name}.new")
    try:
        _write(aside, written)
        _compare(aside, content, plain=written is content)
    except OSError:
        aside.unlink(missing_ok=True)
        raise
    aside.rename(place)
    folder = os.open(place.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _compare(path: Path, content: bytes, *, plain: bool) -> None:
    """Read back what was written."""
    if (path.read_bytes() if plain else _unpacked(path)) != content:
        raise OSError(errno.EIO, "does not read back as it was written; check the disk", str(path))


def _existing(path: Path) -> FileIO | None:
    """A log to append to; None where there is none."""
    try:
        return FileIO(str(path), "ab", opener=lambda name, flags: os.open(name, flags & ~os.O_CREAT))
    except FileNotFoundError:
        return None


def _plain(path: Path, start: int) -> bytes:
    with path.open("rb") as log:
        log.seek(start)
        return log.read()


def _unpacked(path: Path) -> bytes:
    try:
        return gzip.decompress(path.read_bytes())
    except (EOFError, zlib.error) as error:
        raise OSError(errno.EIO, f"damaged ({error}); move it away", str(path)) from error


def _locked(file: IO[bytes] | FileIO, how: int) -> bool:
    """Whether it is locked for this process now; a file system without locks lets all write, and nobody pack."""
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return how == fcntl.LOCK_SH
    return True


def _in_place(file: IO[bytes] | FileIO, path: Path) -> bool:
    """Whether an open file still has its name."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
