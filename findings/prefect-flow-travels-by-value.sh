#!/usr/bin/env bash
# A flow of an importable module travels to the workers of ProcessPoolTaskRunner by value, with all globals it names.
#
# Expected: a task is submitted to Prefect's ProcessPoolTaskRunner; task and flow stand in an importable module, so that the
# workers import that module, as multiprocessing does with functions of a module. What the body of the flow names beside
# the task, such as a ContextVar of the module, stays where it is.
# Seen (prefect 3.9.1, cloudpickle 3.1.3, Python 3.11): with every task the context of the flow run is pickled, and the flow
# in it. Its function is found in the module under the name of the Flow object rather than as itself, so that cloudpickle
# takes the function by value with all globals it names, and fails on the first that cannot be pickled, although no worker
# needs it:
#     TypeError: cannot pickle '_contextvars.ContextVar' object
# A function of the same module that the flow calls travels by reference: reading the ContextVar there is the way out.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check prefect==3.9.1 cloudpickle==3.1.3
cat > "$folder/named.py" <<'PYTHON'
from contextvars import ContextVar

from prefect import flow, task
from prefect.task_runners import ProcessPoolTaskRunner

wanted = ContextVar("wanted", default=1)


@task
def double(number):
    return 2 * number


def read():
    return wanted.get()


@flow(task_runner=ProcessPoolTaskRunner(max_workers=1))
def names_it():
    return double.submit(wanted.get()).result()


@flow(task_runner=ProcessPoolTaskRunner(max_workers=1))
def calls_who_names_it():
    return double.submit(read()).result()
PYTHON
cat > "$folder/main.py" <<'PYTHON'
import named

if __name__ == "__main__":
    try:
        print("named in the flow:", named.names_it())
    except TypeError as error:
        print("named in the flow:", error)
    print("named in a function:", named.calls_who_names_it())
PYTHON
cd "$folder"
export PREFECT_HOME="$folder/prefect" PREFECT_SERVER_ANALYTICS_ENABLED=false DO_NOT_TRACK=1
export PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS=120 PREFECT_LOGGING_LEVEL=CRITICAL
seen=$("$folder/venv/bin/python" main.py 2> "$folder/errors")
expected="named in the flow: cannot pickle '_contextvars.ContextVar' object
named in a function: 2"
echo "$seen"
[ "$seen" = "$expected" ]
