"""How the C library keeps the memory of arrays that are made and dropped by the thousand."""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # names of glibc's ``mallopt``
KEPT_BYTES = 1 << 27  # freed memory that stays with the process, and the least array that the kernel gives by itself


def keep() -> None:
    """Let freed memory stay with the process; without glibc this does nothing.

    By default an array of more than 128 KB goes back to the kernel when it is dropped, and the next one is handed
    over zeroed page by page, which takes as long as the arithmetic on it: with 60 orders a search would take 1.7
    times as long.
    """
    if sys.platform == "linux" and hasattr(ctypes.CDLL(None), "mallopt"):
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, KEPT_BYTES)
        ctypes.CDLL(None).mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
