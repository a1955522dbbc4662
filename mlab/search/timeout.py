"""A block of code that never ends is ended: by an exception, and where nothing helps, with its process."""

from __future__ import annotations

import ctypes
import faulthandler
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

GRACE_S = 60.0  # seconds from the exception to the end of a process that does not heed it


@contextmanager
def watched(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in this thread where the block takes longer.

    In the main thread the exception also ends a sleep and a wait. In another one it comes with the next instruction
    of Python, so not before a call has returned. Compiled code that lets no Python run is ended with its process,
    after a grace and with a traceback on standard error: what was saved is saved.
    """
    if sys.__stderr__ is not None:
        faulthandler.dump_traceback_later(seconds + GRACE_S, exit=True, file=sys.__stderr__)
    in_main_thread = threading.current_thread() is threading.main_thread()
    try:
        with _by_signal(seconds) if in_main_thread else _by_exception(seconds):
            yield
    finally:
        faulthandler.cancel_dump_traceback_later()


@contextmanager
def _by_signal(seconds: float) -> Iterator[None]:
    def bark(_signal: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"no end after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, bark)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def _by_exception(seconds: float) -> Iterator[None]:
    raise_in, thread = ctypes.pythonapi.PyThreadState_SetAsyncExc, ctypes.c_ulong(threading.get_ident())
    dog = threading.Timer(seconds, raise_in, (thread, ctypes.py_object(TimeoutError)))
    dog.daemon = True
    dog.start()
    try:
        yield
    except TimeoutError as error:
        raise TimeoutError(f"no end after {seconds:g} s") from error
    finally:
        dog.cancel()
        dog.join()
        raise_in(thread, None)  # one that came too late
