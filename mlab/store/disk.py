"""What SQLite does not say of a file: how one is opened that may only be read, and why the disk takes no more."""

from __future__ import annotations

import os
import resource
from errno import EFBIG
from pathlib import Path
from tempfile import TemporaryFile

from mlab.core.errors import REFUSALS, StoreError

TRIED = 2**20
"""Bytes that are written to find out whether a disk takes any."""

WAL = b"\2"
"""What byte 18 of a database is in WAL mode."""


def reading(path: Path) -> dict[str, str]:
    """How a database is opened whose folder cannot be written, as a query of its URI; empty where it can be.

    In WAL mode even a reader has to write, beside the file, unless that is all there is: then it is read as it lies.

    Raises:
        StoreError: what was written last is beside it, and can be read where it can be merged only.
    """
    if not path.exists() or os.access(path.parent, os.W_OK):
        return {}
    with path.open("rb") as file:
        in_wal_mode = file.read(19)[18:] == WAL
    wal, shared = (path.with_name(f"{path.name}-{part}") for part in ("wal", "shm"))
    if not in_wal_mode or (wal.exists() and shared.exists()):  # somebody may be writing
        return {"mode": "ro"}
    if wal.exists() and wal.stat().st_size:
        raise StoreError(f"read-only, and its last batches are in {wal.name}; copy both to where they can be written")
    return {"immutable": "1"}


def refusal(folder: Path) -> str | None:
    """Why the disk of a folder takes no more, with a remedy, found out by trying; None where it seems to."""
    try:
        with TemporaryFile(dir=folder) as file:
            file.write(bytes(TRIED))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return REFUSALS.get(error.errno or 0)
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    return None if unlimited else REFUSALS[EFBIG]
