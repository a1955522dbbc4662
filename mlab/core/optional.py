"""Libraries loaded without packages that they look for, use where they are there, and do not need here."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without(*packages: str) -> Iterator[None]:
    """What is imported inside the block finds none of these packages, unless they are loaded already."""
    hidden = [name for name in packages if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None = not there
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
