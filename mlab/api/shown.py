"""What a notebook shows: tables, from the columns of :mod:`mlab.report.columns`, which pandas takes too."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from mlab.report import terminal
from mlab.report.columns import Column, records

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")


@dataclass(frozen=True, slots=True, repr=False)
class Table(Generic[T]):
    """Things in a sequence, each with a row: a table in a notebook and in a terminal, a DataFrame where one is needed.

    Attributes:
        items: the things.
        columns: what is shown of each.
        rows: what the columns are about, one an item.
    """

    items: Sequence[T]
    columns: Sequence[Column]
    rows: Sequence[Any]

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __getitem__(self, place: int) -> T:
        return self.items[place]

    def to_pandas(self) -> pd.DataFrame:
        """A DataFrame with a row an item, in plain values."""
        return frame(records(self.columns, self.rows))

    def __repr__(self) -> str:
        out = io.StringIO()
        terminal.table(terminal.console(out), self.columns, self.rows)
        return "\n".join(line.rstrip() for line in out.getvalue().splitlines())

    def _repr_html_(self) -> str:
        heads = "".join(f"<th>{escape(column.label)}</th>" for column in self.columns)
        texts = (["*" * column.marked(row) + column.text(row) for column in self.columns] for row in self.rows)
        rows = ("".join(f"<td>{escape(text)}</td>" for text in row) for row in texts)
        body = "".join(f"<tr>{cells}</tr>" for cells in rows)
        return f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


def frame(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Flat rows as a DataFrame."""
    import pandas as pd  # noqa: PLC0415 - late, for it is slow to load

    return pd.DataFrame(rows)
