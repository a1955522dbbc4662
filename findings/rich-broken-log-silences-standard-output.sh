#!/usr/bin/env bash
# A rich Console whose own stream has lost its reader silences the standard output of the whole process.
#
# Expected: a program writes its results to standard output by print, and tells its progress through a rich Console on another
# stream. The reader of that other stream goes away. Writing there fails; whatever rich makes of it, a later print to
# standard output, which is open and read, arrives.
# Seen (rich 15.0.0, Python 3.11): Console.print raises SystemExit(1), after it has pointed file descriptor 1 at the null
# device, whichever stream it was that broke. Where the program catches SystemExit and goes on, all that it prints afterwards
# is lost without a word, and its exit status is 0. (on_broken_pipe of a subclass is the way out.)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check rich==15.0.0
cat > "$folder/main.py" <<'PYTHON'
import os
import sys

from rich.console import Console

reading, writing = os.pipe()
os.close(reading)  # nobody reads the progress any more
progress = Console(file=open(writing, "w"))
print("before: results")
sys.stdout.flush()
try:
    progress.print("half done")
except SystemExit as error:
    print(f"rich raised SystemExit({error.code})", file=sys.stderr)
print("after: more results")
PYTHON
seen=$("$folder/venv/bin/python" "$folder/main.py" 2> "$folder/errors" && echo "status 0")
told=$(head -1 "$folder/errors")
echo "$seen"
echo "$told"
[ "$seen" = "before: results
status 0" ] && [ "$told" = "rich raised SystemExit(1)" ]
