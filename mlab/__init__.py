"""Martingale Lab: search for the ladder that needs the smallest rebound to break even, and keep the evidence.

Its face for Python is ``__all__``; ``docs/python.md`` shows it. A name is loaded when it is first used, so that
``import mlab`` costs nothing, and bad input of the command line is refused before anything slow is loaded.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlab.api.arguments import Limits, Score, Wave
    from mlab.api.batches import price, scores
    from mlab.api.bots import read_bot
    from mlab.api.evaluation import Evaluation, evaluate
    from mlab.api.ladders import Ladder
    from mlab.api.orders import Orders
    from mlab.api.replays import Replay, read_prices
    from mlab.api.runs import Run, open, runs  # noqa: A004 - as in os.open: mlab.open
    from mlab.api.search import search
    from mlab.market import Market
    from mlab.placing import PlacementError
    from mlab.prices import Candles, PricesError

__version__ = "0.1.0"

__all__ = [
    "Candles", "Evaluation", "Ladder", "Limits", "Market", "Orders", "PlacementError", "PricesError", "Replay", "Run",
    "Score", "Wave", "__version__", "evaluate", "open", "price", "read_bot", "read_prices", "runs", "scores", "search",
]  # fmt: skip

_PLACES = {
    "mlab.api.bots": ("read_bot",),
    "mlab.api.arguments": ("Limits", "Score", "Wave"),
    "mlab.api.batches": ("price", "scores"),
    "mlab.api.evaluation": ("Evaluation", "evaluate"),
    "mlab.api.ladders": ("Ladder",),
    "mlab.api.orders": ("Orders",),
    "mlab.api.replays": ("Replay", "read_prices"),
    "mlab.api.runs": ("Run", "open", "runs"),
    "mlab.api.search": ("search",),
    "mlab.market": ("Market",),
    "mlab.placing": ("PlacementError",),
    "mlab.prices": ("Candles", "PricesError"),
}


class _Face(ModuleType):
    """The module ``mlab``, whose ``search`` stays the function, though the package ``mlab.search`` has its name.

    An import binds a package to its parent. This one is found without: ``from mlab.search import run``.
    """

    def __setattr__(self, name: str, value: object) -> None:
        if name != "search":
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *__all__})


if not TYPE_CHECKING:  # a checker knows each name by its import above, and that there are no others

    def __getattr__(name: str) -> object:
        """Load a name of the face."""
        place = next((place for place, names in _PLACES.items() if name in names), None)
        if place is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return globals().setdefault(name, getattr(import_module(place), name))


sys.modules[__name__].__class__ = _Face
