"""`scagan convert`: the authors' released weights to this package's format."""

from pathlib import Path


def add(commands):
    parser = commands.add_parser("convert", help="the authors' released weights -> this package's format")
    parser.add_argument("checkpoint", type=Path, metavar="LATEST_NETG.pth", help="generator of the release")
    parser.add_argument("--output", required=True, type=Path, help="folder to write the model to")
    parser.set_defaults(run=_convert)


def _convert(args):
    if not args.checkpoint.is_file():
        raise ValueError(f"no such file: {args.checkpoint}; give the release's generator, latest_netG.pth")
    from ..release import convert

    convert(args.checkpoint, args.output)
