"""`scagan compare`: several reports in one table."""

from pathlib import Path


def add(commands):
    parser = commands.add_parser(
        "compare",
        help="reports of several methods in one table",
        description="One table, with differences to the first report pair by pair, and the published tables under "
        "their own protocol's name.",
    )
    parser.add_argument("reports", type=Path, nargs="+", metavar="REPORT.json", help="written by scagan evaluate")
    parser.add_argument("--output", required=True, type=Path, help=".json or .md to write")
    parser.set_defaults(run=_compare)


def _compare(args):
    import json

    from ..evaluation import report
    from ..evaluation.comparison import compare, markdown
    from ..files.writing import check_writable, whole_file

    check_writable(args.output)
    if args.output.suffix not in (".json", ".md"):
        raise ValueError(f"--output: expected a name that ends in .json or .md, got {args.output.name}")
    figures = compare([report.read(path) for path in args.reports])
    shown = markdown(figures)
    with whole_file(args.output) as partial:
        text = json.dumps(report.plain(figures), indent=2) + "\n" if args.output.suffix == ".json" else shown
        partial.write_text(text, encoding="utf-8")
    print(shown, end="")
