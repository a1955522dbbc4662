"""Plots as a notebook shows them. Imported where one is drawn, because matplotlib is slow to load."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlab.api.arguments import path_of, write
from mlab.core.errors import ConfigError
from mlab.core.records import Candidate, CellResult
from mlab.model.exits import Fees
from mlab.prices import Candles
from mlab.replay import Levels, Replayed, curve
from mlab.replay import Path as PricePath
from mlab.replay.equity import longest
from mlab.report import plots, replay_plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WRITERS = {".png": plots.png, ".svg": plots.svg}


@dataclass(frozen=True, slots=True)
class Plot:
    """A picture: an SVG in a notebook; ``figure`` is matplotlib's, to be changed as one likes."""

    figure: Figure

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write it to a file.

        Raises:
            ConfigError: the name ends neither in ``.png`` nor in ``.svg``, or it cannot be written there.
        """
        place = path_of("save", "path", path)
        if place.suffix not in WRITERS:
            raise ConfigError("save", "path", "must end in .png or .svg", str(place))
        return write("save", place, WRITERS[place.suffix](self.figure))

    def _repr_svg_(self) -> str:
        return plots.svg(self.figure).decode()


def ladder(record: Candidate) -> Plot:
    """One ladder against depth."""
    return Plot(plots.ladder_plot(record))


def front(cells: Sequence[CellResult]) -> Plot:
    """What covering more costs."""
    return Plot(plots.front_plot(cells))


def replay(candles: Candles, levels: Levels, replayed: Replayed, fees: Fees, title: str) -> Plot:
    """What an account with one ladder would have shown."""
    drawn = replace(replayed, curve=curve(PricePath(candles), levels, fees))
    return Plot(replay_plots.replay_plot(drawn, title))


def longest_deal(candles: Candles, levels: Levels, title: str) -> Plot:
    """The deal of one ladder that took longest."""
    return Plot(replay_plots.deal_plot(candles, levels, longest(PricePath(candles), levels), title))
