"""`scagan`: the command line. Each command reads its input, refuses what is bad, and only then loads torch.

A command is a module of this folder with `add(commands)`, which declares what it takes; `inputs` is what they share.
"""

import argparse
import signal
import sys
import threading
from contextlib import contextmanager

from . import animate, compare, convert, demo, domain, evaluate, generate, people, prepare, train, verify

COMMANDS = (generate, animate, demo, convert, people, prepare, verify, train, evaluate, compare, domain)


def main(argv: list[str] | None = None) -> int:
    """Run one command.

    Returns:
        the exit status: 0, or 1 after one line on stderr where the input was bad (argparse exits with 2); a
        training's own.
    """
    args = build_parser().parse_args(argv)
    try:
        with _ended_in_order():
            return args.run(args) or 0
    except (ValueError, OSError, ImportError) as error:  # ImportError: an extra is not installed
        print(f"scagan: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


@contextmanager
def _ended_in_order():
    """SIGTERM ends a command as an error does: nothing half written is left, and no worker."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scagan", description="One photo of a person, any pose (SCA-GAN).")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return parser
