"""One ladder in writing: the bullets of its orders, the shape of its needs, what its sanity flags say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlab.core.records import Json

BLOCKS = "▁▂▃▄▅▆▇█"
PLAIN_BLOCKS = "_.-:=+*#"
BADGES = {
    "max_need_mismatch": "need mismatch",
    "collapse_indents": "indents collapse",
    "tail_overflow": "tail over cap",
}


def bullets(schedule: Json) -> list[str]:
    """One line an order, from the schedule of a contract."""
    columns = (schedule[key] for key in ("indent_pct", "volume_pct", "martingale_pct", "needpct"))
    return [
        f"{order}. Order: indent {indent:z.2f} %  volume {volume:z.2f} %  "
        f"({_growth(order, martingale)}) - NeedPct {need:z.2f} %"
        for order, (indent, volume, martingale, need) in enumerate(zip(*columns, strict=True), start=1)
    ]


def sparkline(needpct: Sequence[float], *, plain: bool = False) -> str:
    """One character an order, from 0 to the largest need.

    Args:
        needpct: NeedPct of each order.
        plain: ASCII only, for terminals and files that show nothing else.
    """
    blocks = PLAIN_BLOCKS if plain else BLOCKS
    largest = max(*needpct, 1e-9)
    top = len(blocks) - 1
    return "".join(blocks[min(top, max(0, round(need / largest * top)))] for need in needpct)


def badges(sanity: Mapping[str, bool]) -> str:
    """``ok``, or what fails, comma-separated."""
    return ", ".join(badge for flag, badge in BADGES.items() if sanity[flag]) or "ok"


def _growth(order: int, martingale: float) -> str:
    return "first order" if order == 1 else f"martingale {martingale:z.1f} %"
