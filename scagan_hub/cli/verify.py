"""`scagan verify`: what is wrong with a data set."""

from pathlib import Path


def add(commands):
    parser = commands.add_parser("verify", help="name everything that is wrong with a data set")
    parser.add_argument("data", type=Path, metavar="DIR", help="folder of a data set")
    parser.add_argument("--processes", type=int, help="how many decode images (default: one a core)")
    parser.set_defaults(run=_verify)


def _verify(args):
    from ..data.verify import verify

    if args.processes is not None and args.processes < 1:
        raise ValueError(f"--processes: expected at least 1, got {args.processes}")
    report = verify(args.data, processes=args.processes)
    for fault in report.faults:
        print(fault)
    for split, (images, pairs) in report.looked_at.items():
        print(f"{split}: {images:,} images, {pairs:,} pairs")
    if report.unused:
        print(f"{len(report.unused):,} images are in no pair, as usual in this layout")
    if report.faults:
        raise ValueError(f"{args.data}: {len(report.faults):,} items are wrong: {report.counts()}")
