"""What does not end is ended, in every thread, and nothing else is touched."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time

import pytest

from mlab.search.timeout import watched
from tests import runs


def spin() -> None:
    while True:
        pass


@pytest.mark.parametrize("hang", [spin, lambda: time.sleep(60), lambda: threading.Event().wait(60)])
def test_the_main_thread_gets_out_of_loops_sleeps_and_waits(hang: object) -> None:
    began = time.monotonic()
    with pytest.raises(TimeoutError, match=r"^no end after 0.2 s$"), watched(0.2):
        hang()  # type: ignore[operator]
    assert time.monotonic() - began < 30


def test_another_thread_gets_out_of_loops() -> None:
    caught: list[str] = []

    def work() -> None:
        try:
            with watched(0.2):
                spin()
        except TimeoutError as error:
            caught.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(runs.SECONDS)
    assert caught == ["no end after 0.2 s"]


@pytest.mark.parametrize("in_thread", [False, True])
def test_what_ends_in_time_is_left_alone(in_thread: bool) -> None:
    done: list[int] = []

    def work() -> None:
        for turn in range(50):
            with watched(1.0):
                done.append(turn)
        time.sleep(1.1)
        done.append(-1)

    if in_thread:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join(runs.SECONDS)
    else:
        work()
    assert done == [*range(50), -1]


def test_the_alarm_of_others_is_given_back() -> None:
    def theirs(*_: object) -> None:
        pass

    before = signal.signal(signal.SIGALRM, theirs)
    try:
        with watched(1.0):
            pass
        assert signal.getsignal(signal.SIGALRM) is theirs
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    finally:
        signal.signal(signal.SIGALRM, before)


def test_an_error_inside_is_not_changed() -> None:
    with pytest.raises(ValueError, match="mine"), watched(1.0):
        raise ValueError("mine")


def test_compiled_code_that_never_returns_is_ended_with_its_process() -> None:
    code = (
        "import itertools; from mlab.search import timeout; timeout.GRACE_S = 0.3\n"
        "with timeout.watched(0.2): sum(itertools.repeat(0))"
    )
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=runs.SECONDS, check=False)  # noqa: S603

    assert ended.returncode == 1
    assert "Timeout" in ended.stderr
