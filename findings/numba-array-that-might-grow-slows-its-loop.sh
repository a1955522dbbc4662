#!/usr/bin/env bash
# A compiled loop runs some twenty times slower for a line in it that is never reached: one that would replace an array.
#
# Expected: two loops look for prices below a level and write them into an array that has room for all. One of them would
# replace the array by a larger one if it were full, which never happens here. A branch that is never taken costs a
# comparison, so both take about the same time.
# Seen (numba 0.68.1, numpy 2.4.6, Python 3.11): the loop that could grow its array takes 20 to 30 times as long (55 us and
# 1,400 us for 80,000 prices). Most likely since the variable may stand for another array in the next round, references are
# counted in every round, with atomic operations, instead of once. What helps: count on without writing where there is
# no room, and have the caller come again with an array that is large enough.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numba==0.68.1 numpy==2.4.6
cat > "$folder/main.py" <<'PYTHON'
from time import perf_counter

import numba
import numpy as np


@numba.njit
def larger(rows):
    more = np.empty(2 * len(rows))
    more[: len(rows)] = rows
    return more


@numba.njit
def fixed(prices, level, room):
    found, count = np.empty(room), 0
    for block in range(0, len(prices), 8):
        for at in range(block, block + 8):
            if prices[at] < level:
                if count == len(found):
                    break
                found[count] = prices[at]
                count += 1
    return found[:count]


@numba.njit
def growing(prices, level, room):
    found, count = np.empty(room), 0
    for block in range(0, len(prices), 8):
        for at in range(block, block + 8):
            if prices[at] < level:
                if count == len(found):
                    found = larger(found)
                found[count] = prices[at]
                count += 1
    return found[:count]


def least(loop):
    times = []
    for _ in range(50):
        began = perf_counter()
        loop(prices, 0.05, len(prices))
        times.append(perf_counter() - began)
    return min(times)


prices = np.random.default_rng(1).random(80_000)
print("the same found:", np.array_equal(fixed(prices, 0.05, 80_000), growing(prices, 0.05, 80_000)))
ratio = least(growing) / least(fixed)
print("the loop that could grow its array takes", "more than 5 times as long" if ratio > 5 else f"{ratio:.1f} times as long")
PYTHON
seen=$("$folder/venv/bin/python" "$folder/main.py")
expected="the same found: True
the loop that could grow its array takes more than 5 times as long"
echo "$seen"
[ "$seen" = "$expected" ]
