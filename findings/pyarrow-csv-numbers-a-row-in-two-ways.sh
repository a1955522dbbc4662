#!/usr/bin/env bash
# The same wrong row of a CSV has two numbers in pyarrow, by whether lines before it were skipped; and empty lines count in
# one of the options that skip and in the numbers of rows they do not.
#
# Expected: a file with an empty line in the middle, of the kind that exchanges' dumps have, is read with an
# invalid_row_handler, which is told of one row that is too short. Its number is that of its line, or that of its row, and
# does not depend on how many lines before it were left out by skip_rows.
# Seen (pyarrow 25.0.1, Python 3.11): without skip_rows the row in line 5 has the number 4, for the empty line is not counted;
# with skip_rows=3, which takes the empty line for one of the three, the number is 5. A message that names the number
# leads to another line than the one that is wrong, and skip_rows=number-1 skips to another row.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pyarrow==25.0.1
cat > "$folder/main.py" <<'PYTHON'
import io

from pyarrow import csv

TEXT = b"open,close\n1,2\n\n3,4\n5\n6,7\n"  # the fifth line lacks a column


def number_of_the_short_row(skipped):
    numbers = []

    def note(row):
        numbers.append(row.number)
        return "skip"

    names = ["open", "close"] if skipped else None
    csv.read_csv(
        io.BytesIO(TEXT),
        read_options=csv.ReadOptions(use_threads=False, skip_rows=skipped, column_names=names),
        parse_options=csv.ParseOptions(invalid_row_handler=note),
    )
    return numbers


for skipped in (0, 1, 3):
    print(f"skip_rows={skipped}: the short row is number {number_of_the_short_row(skipped)}")
PYTHON
seen=$("$folder/venv/bin/python" "$folder/main.py")
expected="skip_rows=0: the short row is number [4]
skip_rows=1: the short row is number [4]
skip_rows=3: the short row is number [5]"
echo "$seen"
[ "$seen" = "$expected" ]
