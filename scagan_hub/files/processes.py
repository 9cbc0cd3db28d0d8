"""Processes that end together: a worker does not outlive the program that began it, however that ends."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

OFTEN = 0.5  # seconds


def end_with(parent: int):
    """Has this process end within a second of the process of this id, which began it.

    Where the parent is killed nobody tells its workers; but they get another parent.
    """

    def watch():
        while os.getppid() == parent:
            time.sleep(OFTEN)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="end with the parent").start()


@contextmanager
def workers(count: int | None, method: str | None = None) -> Iterator[ProcessPoolExecutor]:
    """A pool of processes that end with this one, and are ended at once when the work is broken off.

    Args:
        count: how many; None: one a core.
        method: how they start, as for `multiprocessing`.

    Raises:
        ValueError: one of them was killed.
    """
    context = multiprocessing.get_context(method)
    pool = ProcessPoolExecutor(count, context, initializer=_begin, initargs=(os.getpid(),))
    try:
        yield pool
    except BrokenProcessPool as error:
        raise ValueError("a worker was killed, perhaps for want of memory: run the same command again") from error
    except BaseException:
        for process in list((pool._processes or {}).values()):
            process.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(parent: int):
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent tells them
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    end_with(parent)
