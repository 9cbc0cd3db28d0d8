"""Processes that end together: a worker does not outlive the program that began it, however that ends."""

import os
import threading
import time

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
