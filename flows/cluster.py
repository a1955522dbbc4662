"""Whether cells are searched on a cluster of Dask or Ray, through Prefect's task runners."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from typing import Self

from mlab.core.errors import ConfigError

VARIABLE = "MLAB_CLUSTER"
PACKAGES = {"dask": "prefect_dask", "ray": "prefect_ray"}


@dataclass(frozen=True, slots=True)
class Cluster:
    """The cluster that ``MLAB_CLUSTER`` names: its kind, empty for none, and its address, empty for a local one."""

    kind: str
    address: str

    @classmethod
    def here(cls) -> Self:
        """The setting of this process.

        Raises:
            ConfigError: it is none, or its package is missing.
        """
        value = os.environ.get(VARIABLE, "")
        kind, _, address = value.partition(":")
        if value and kind not in PACKAGES:
            raise ConfigError("environment", VARIABLE, "must be dask, ray, dask:ADDRESS or ray:ADDRESS", value)
        if value and importlib.util.find_spec(PACKAGES[kind]) is None:
            install = f".venv/bin/python -m pip install --editable '.[{kind}]'"
            raise ConfigError("environment", VARIABLE, f"{kind} is missing; in the checkout: {install}")
        return cls(kind, address)
