#!/usr/bin/env bash
# numpy 2.4.6: what a column of a batch sums to depends on whether it is alone in the batch.
#
# Expected: a batch keeps one item a column, and sums over rows (axis 0 of C order). The sum of a column is then the same
#   to the last bit whether it comes alone or with others: two columns give what a thousand give.
# Seen: with two columns and more it is; of one alone the other axis vanishes, rows become one run in memory, and another
#   loop adds them: sum and mean in another order from 8 rows on (two in five columns of 20 rows end in another last
#   bit), einsum("kb,kb->b") from 3 rows on (half of them). Products, which have one order only, agree.
# So a score that is computed for one item and for a batch may rank two equal items apart, or fail a check for equality;
# pad a single column to two, or add rows one by one.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np

COLUMNS = 1000
WAYS = {
    "sum": lambda rows: rows.sum(axis=0),
    "mean": lambda rows: rows.mean(axis=0),
    "einsum": lambda rows: np.einsum("kb,kb->b", rows, rows),
    "prod": lambda rows: rows.prod(axis=0),
}


def differing(way, rows: np.ndarray, beside: int) -> float:
    """Share of the columns that come to something else with so many beside them than with all."""
    together = way(rows)
    few = [np.ascontiguousarray(rows[:, [j, *[j - 1] * beside]]) for j in range(COLUMNS)]
    return float(np.mean([way(some)[0] != together[j] for j, some in enumerate(few)]))


random = np.random.default_rng(1)
found = {
    (name, count): (differing(way, rows, 0), differing(way, rows, 1))
    for count in (3, 7, 8, 20)
    for rows in [random.random((count, COLUMNS))]
    for name, way in WAYS.items()
}
print("numpy", np.__version__)
for (name, count), (alone, pair) in found.items():
    print(f"{name:6} of {count:2} rows: alone {alone:.0%} of the columns differ, beside another {pair:.0%}")
assert all(pair == 0.0 for _, pair in found.values())
assert all(found[name, count][0] == 0.0 for name in ("sum", "mean") for count in (3, 7))
assert all(found[name, count][0] > 0.1 for name in ("sum", "mean") for count in (8, 20))
assert all(found["einsum", count][0] > 0.1 for count in (3, 7, 8, 20))
assert all(found["prod", count][0] == 0.0 for count in (3, 7, 8, 20))
PYTHON
