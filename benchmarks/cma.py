"""CMA-ES over several restarts at once (lanes), after Hansen's tutorial (arXiv:1604.00772), equation numbers beside.

======== ========= ======================================
symbol   shape     meaning
======== ========= ======================================
R, K, L            lanes, dimensions, population of a lane
mean     (R, K)
C        (R, K, K) covariance; (R, K), its diagonal, for sep-CMA
======== ========= ======================================
"""

from __future__ import annotations

import numpy as np

from mlab.ladder import Array


class LaneCma:
    """Full or separable CMA-ES, all lanes in step."""

    def __init__(self, mean: Array, sigma: float, population: int, *, full: bool, random: np.random.Generator) -> None:
        lanes, k = mean.shape
        self.mean, self.full, self.population, self.random = mean.copy(), full, population, random
        self.sigma = np.full(lanes, sigma)
        parents = population // 2
        weights = np.log((population + 1) / 2) - np.log(np.arange(1, parents + 1))  # 49
        self.weights = weights / weights.sum()
        mu = 1.0 / (self.weights**2).sum()  # 8
        self.mu = mu
        self.c_sigma = (mu + 2) / (k + mu + 5)  # 55
        self.damping = 1 + 2 * max(0.0, np.sqrt((mu - 1) / (k + 1)) - 1) + self.c_sigma
        self.c_c = (4 + mu / k) / (k + 4 + 2 * mu / k)  # 56
        faster = 1.0 if full else (k + 2) / 3  # Ros & Hansen 2008: a diagonal may learn faster
        self.c_1 = min(1.0, faster * 2 / ((k + 1.3) ** 2 + mu))  # 57
        self.c_mu = min(1 - self.c_1, faster * 2 * (mu - 2 + 1 / mu) / ((k + 2) ** 2 + mu))  # 58
        self.chi = np.sqrt(k) * (1 - 1 / (4 * k) + 1 / (21 * k**2))
        self.path_sigma, self.path_c = np.zeros((lanes, k)), np.zeros((lanes, k))
        self.axes = np.tile(np.eye(k), (lanes, 1, 1)) if full else np.ones((lanes, k))
        self.covariance = self.axes.copy()
        self.scale = np.ones((lanes, k))
        self.generation = 0

    def ask(self) -> Array:
        """Points of all lanes, shape (R, L, K)."""
        z = self.random.standard_normal((len(self.mean), self.population, self.mean.shape[1]))
        z *= self.scale[:, None, :]
        y = z @ self.axes.transpose(0, 2, 1) if self.full else z
        return np.asarray(self.mean[:, None, :] + self.sigma[:, None, None] * y)

    def tell(self, points: Array, score: Array) -> None:
        """Take a step towards the better half; ``score`` is (R, L)."""
        self.generation += 1
        order = np.argsort(score, axis=1)[:, : len(self.weights)]
        y = (np.take_along_axis(points, order[:, :, None], axis=1) - self.mean[:, None, :]) / self.sigma[:, None, None]
        step = self.weights @ y  # 41
        self.mean = self.mean + self.sigma[:, None] * step  # 42
        c = self.c_sigma
        self.path_sigma = (1 - c) * self.path_sigma + np.sqrt(c * (2 - c) * self.mu) * self._whitened(step)  # 43
        length = np.linalg.norm(self.path_sigma, axis=1)
        stalled = length / np.sqrt(1 - (1 - c) ** (2 * self.generation)) >= (1.4 + 2 / (len(step[0]) + 1)) * self.chi
        moving = np.where(stalled, 0.0, 1.0)[:, None]
        self.path_c = (1 - self.c_c) * self.path_c + moving * np.sqrt(self.c_c * (2 - self.c_c) * self.mu) * step  # 45
        keep = 1 - self.c_1 - self.c_mu
        self.covariance = keep * self.covariance + self.c_1 * self._outer(self.path_c[:, None, :], np.ones(1))
        self.covariance += self.c_mu * self._outer(y, self.weights)  # 47, without negative weights
        self.sigma = np.clip(self.sigma * np.exp(c / self.damping * (length / self.chi - 1)), 1e-12, 1e3)  # 44
        self._decompose()

    def _whitened(self, step: Array) -> Array:
        if not self.full:
            return np.asarray(step / self.scale)
        local = np.einsum("rji,rj->ri", self.axes, step) / self.scale
        return np.asarray(np.einsum("rij,rj->ri", self.axes, local))

    def _outer(self, y: Array, weights: Array) -> Array:
        """Weighted sum of outer products of (R, N, K), or of squares where only the diagonal is kept."""
        if not self.full:
            return np.asarray(weights @ (y * y))
        return np.asarray((y * weights[None, :, None]).transpose(0, 2, 1) @ y)

    def _decompose(self) -> None:
        if not self.full:
            self.scale = np.sqrt(np.maximum(self.covariance, 1e-20))
        elif self.generation % 3 == 0:
            values, self.axes = np.linalg.eigh((self.covariance + self.covariance.transpose(0, 2, 1)) / 2)
            self.scale = np.sqrt(np.maximum(values, 1e-20))
