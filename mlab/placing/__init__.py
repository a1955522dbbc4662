"""From a ladder to orders that an exchange takes, and what they are once they are rounded."""

from mlab.placing.budgets import Searched, refusal
from mlab.placing.figures import Figures
from mlab.placing.grid import Grid
from mlab.placing.orders import Order, Orders, PlacementError
from mlab.placing.placement import Placement, place

__all__ = ["Figures", "Grid", "Order", "Orders", "Placement", "PlacementError", "Searched", "place", "refusal"]
