"""The largest need of each order that the widest gaps leave, by what is held before it and its kind of growth.

Formulas are numbered as in ``docs/bound.md``. Arrays are (K, ...), a row for each of the orders 2..M; C is the number
of kinds of growth.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlab.model.bound.terms import WIDER, Terms, ends
from mlab.model.ladder import Array


def most_needs(terms: Terms, windows: Array, u: Array) -> Array:
    """Largest needs, shape (K, N, C), at u (K, N), of ladders whose growths lie in the windows (K, C, 2).

    Infinite where gaps may be any; then the last axis is one long.
    """
    count = len(terms.capped)
    if not count:
        return np.full((*u.shape, 1), np.inf)
    least = least_prices(terms, windows, u)
    most = np.full((*u.shape, windows.shape[1]), np.inf)
    if terms.need == "path":
        most[:count] = 1.0 / least - 1.0  # B20
    else:
        held = u[:count, :, None]
        most[:count] = (1.0 - least) * held / (least * held + (1.0 if terms.sizing == "quote" else least))  # B20
    return most


def most_needs_of(terms: Terms, windows: Array, u: Array, kind: NDArray[np.int64]) -> Array:
    """The same, shape (K, P), for growths of given kinds (K, P)."""
    most = most_needs(terms, windows, u)
    return np.take_along_axis(most, np.minimum(kind, most.shape[-1] - 1)[..., None], axis=-1)[..., 0]


def least_prices(terms: Terms, windows: Array, u: Array) -> Array:
    """What P_k / A_{k-1} cannot be below at u, by kind; (orders that are capped, N, C), order 2 first. B20."""
    count, power = len(terms.capped), -1.0 if terms.sizing == "quote" else 1.0
    price = np.concatenate(([1.0], np.exp(terms.capped_price)))
    most_u, most_growth = _most(windows[:count])
    order = np.arange(count)  # k - 1, counted from 0
    held = u[:count, :, None] * windows[:count, None, :, 1] - 1.0  # u_{k-1}
    weight, mean = np.ones(held.shape), np.zeros(held.shape)
    for back in range(count):
        at = np.maximum(order - back, 0)[:, None, None]
        held = np.clip(held, 0.0, most_u[at])
        mean += weight / (1.0 + held) * price[at] ** power  # B20
        weight *= held / (1.0 + held)
        held = held * most_growth[at] - 1.0  # B20
    return np.asarray(price[1:, None, None] / mean**power * (1.0 - WIDER))  # B20


def _most(windows: Array) -> tuple[Array, Array]:
    """Largest u, 0 for order 1, and largest growth of orders 1, 2, .. within windows."""
    least, most = ends(windows)
    u = np.zeros(len(windows) + 1)
    for j, growth in enumerate(least):
        u[j + 1] = (1.0 + u[j]) / growth
    return u, np.concatenate(([1.0], most))
