"""From a ladder to orders that an exchange takes, and what they are once they are rounded."""

from mlab.placing.budgets import Searched, refusal
from mlab.placing.figures import Figures
from mlab.placing.grid import Grid
from mlab.placing.orders import Order, Orders, PlacementError, of_bot
from mlab.placing.placement import Placement, figures_of, place

__all__ = [
    "Figures",
    "Grid",
    "Order",
    "Orders",
    "Placement",
    "PlacementError",
    "Searched",
    "figures_of",
    "of_bot",
    "place",
    "refusal",
]
