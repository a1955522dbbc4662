"""The search within a cell: Optuna chooses the starts. The only home of Optuna."""

from mlab.search.study import Study

__all__ = ["Study"]
