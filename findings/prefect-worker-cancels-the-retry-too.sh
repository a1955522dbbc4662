#!/usr/bin/env bash
# A flow run that is cancelled, has ended as Cancelled and is retried at once is cancelled a second time by its worker.
#
# Expected: a flow that a process worker executes is cancelled, tidies up and returns a state Cancelled of its own. Once that
# is the state of the flow run, the attempt is over; whoever retries the flow run then gets a new attempt, which what is left
# of the old one does not touch.
# Seen (prefect 3.9.1, Python 3.11): the worker, which has sent the signal, waits for the process, loads the flow once more in
# another one for hooks that there are not, and then forces the state Cancelled on the flow run, some seconds later, whatever
# that has become: the retry, which it has submitted itself by then, is Cancelled while its process begins. That goes to
# Running nevertheless; with a limit of concurrency on the deployment its slot is gone by then and it ends as Crashed. A flow
# that lets TerminationSignal pass instead of returning a state is said to be Cancelled once, when all of it is over.
set -euo pipefail
folder=$(mktemp -d)
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check prefect==3.9.1
export PREFECT_HOME="$folder/prefect" DO_NOT_TRACK=1 PREFECT_LOGGING_LEVEL=ERROR PREFECT_SERVER_ANALYTICS_ENABLED=false
port=$(python3 -c "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); print(s.getsockname()[1])")
export PREFECT_API_URL="http://127.0.0.1:$port/api"
cat > "$folder/flows.py" <<'PYTHON'
import time

from prefect import flow
from prefect.exceptions import TerminationSignal
from prefect.states import Cancelled


@flow
def work(seconds: int = 60, answers: bool = True):
    try:
        time.sleep(seconds)
    except TerminationSignal:
        if answers:
            return Cancelled(message="tidied up")
        raise
PYTHON
cat > "$folder/main.py" <<'PYTHON'
import sys
import time

from prefect import flow, get_client
from prefect.states import Cancelling, Scheduled

END = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


def until(happened):
    deadline = time.monotonic() + 120
    while not (found := happened()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return found


work = flow.from_source(sys.argv[1], "flows.py:work")
deployment = work.deploy("by worker", work_pool_name="pool", print_next_steps=False, ignore_warnings=True)
with get_client(sync_client=True) as client:

    def state_of(one):
        return client.read_flow_run(one.id).state

    def said(one):
        return sum(state.is_cancelled() for state in client.read_flow_run_states(one.id))

    for answers in (True, False):
        parameters = {"seconds": 20, "answers": answers}
        one = client.create_flow_run_from_deployment(deployment, parameters=parameters)
        until(lambda: state_of(one).is_running())
        time.sleep(2)
        client.set_flow_run_state(one.id, Cancelling())
        until(lambda: state_of(one).is_cancelled())
        client.set_flow_run_state(one.id, Scheduled(name="AwaitingRetry"))
        until(lambda: state_of(one).name == "Completed" or said(one) == 2)
        print("its own" if answers else "the worker's", said(one))
PYTHON
cd "$folder"
"$folder/venv/bin/prefect" server start --host 127.0.0.1 --port "$port" > server.log 2>&1 &
server=$!
worker=
trap 'kill $worker $server 2> /dev/null; sleep 5; kill -9 $worker $server 2> /dev/null; rm -rf "$folder"' EXIT
for _ in $(seq 120); do
  python3 -c "import urllib.request; urllib.request.urlopen('$PREFECT_API_URL/health')" 2> /dev/null && break
  sleep 1
done
"$folder/venv/bin/prefect" work-pool create pool --type process > pool.log 2>&1
"$folder/venv/bin/prefect" worker start --pool pool > worker.log 2>&1 &
worker=$!
seen=$("$folder/venv/bin/python" main.py "$folder" 2> errors | tail -2) || { tail -5 errors; false; }
echo "$seen"
[ "$seen" = "its own 2
the worker's 1" ]
