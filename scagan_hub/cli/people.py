"""`scagan people`: a data set of rendered people, to train and test with."""

import argparse
import re
import sys
from pathlib import Path


def add(commands):
    parser = commands.add_parser("people", help="render a data set of people, to train and test with")
    parser.add_argument("--output", required=True, type=Path, help="folder to write; a stopped run goes on in it")
    parser.add_argument("--identities", type=int, default=1000, help="people to train with; a tenth more in each test")
    parser.add_argument("--views", type=int, default=6, help="pictures of each")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=_size, default=(256, 176), metavar="HxW", help="of the pictures: 256x176")
    parser.add_argument("--backdrop", choices=("studio", "varied"), default="studio", help="varied: also outside")
    parser.add_argument("--poses", choices=("standing", "active"), default="standing", help="active: sport and dance")
    parser.add_argument("--correspondences", action="store_true", help="and where each pixel lies in other pictures")
    parser.add_argument("--workers", type=int, default=1, help="processes; the pictures are the same with any number")
    parser.set_defaults(run=_people)


def _size(text: str) -> tuple[int, int]:
    if not re.fullmatch(r"\d+x\d+", text):
        raise argparse.ArgumentTypeError(f"expected HEIGHTxWIDTH such as 256x176, got {text!r}")
    height, width = text.split("x")
    return int(height), int(width)


def _people(args):
    from ..people.dataset import Arguments, write

    height, width = args.size
    given = {name: getattr(args, name) for name in ("views", "seed", "backdrop", "poses", "correspondences")}
    arguments = Arguments(args.identities, height=height, width=width, **given)
    manifest = write(args.output, arguments, args.workers, _show)
    for split, counts in manifest["counts"].items():
        print(f"{split}: {counts['identities']} people, {counts['pictures']} pictures, {counts['pairs']} pairs")


def _show(done: int, total: int) -> None:
    if sys.stderr.isatty() or done % 50 == 0 or done == total:
        print(f"{done} of {total} people", end="\r" if sys.stderr.isatty() and done < total else "\n", file=sys.stderr)
