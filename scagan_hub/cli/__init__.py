"""`scagan`: the command line. Each command reads its input, refuses what is bad, and only then loads torch.

A command is a module of this folder with `add(commands)`, which declares what it takes; `inputs` is what they share.
"""

import argparse
import sys

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
        return args.run(args) or 0
    except (ValueError, OSError, ImportError) as error:  # ImportError: an extra is not installed
        print(f"scagan: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scagan", description="One photo of a person, any pose (SCA-GAN).")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return parser
