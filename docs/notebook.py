"""Executes docs/notebook.ipynb and writes it with what its cells show: ``python -m docs.notebook``."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbclient import NotebookClient
from traitlets.config import Config

from mlab.core.state import RUN_ID

PAGE = Path(__file__).with_suffix(".ipynb")
SOME_RUN = "20260131-235959-0a1b2c"
"""In the place of every run's id, which is never the same."""


def executed() -> str:
    """The notebook as it is after a fresh execution, in an empty folder."""
    notebook = nbformat.read(PAGE, as_version=4)
    with TemporaryDirectory() as folder:
        places = {"metadata": {"path": folder}}
        local = Config({"KernelManager": {"transport": "ipc", "ip": f"{folder}/kernel"}})
        NotebookClient(notebook, kernel_name="python3", resources=places, record_timing=False, config=local).execute()
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata = nbformat.from_dict({"kernelspec": kernel})
    return re.sub(RUN_ID, SOME_RUN, nbformat.writes(notebook)) + "\n"


if __name__ == "__main__":
    PAGE.write_text(executed(), encoding="utf-8")
