"""`scagan demo`: the demo, in a browser."""

import os

from .. import DEMO_MODEL


def add(commands):
    parser = commands.add_parser("demo", help="the demo, in a browser")
    parser.add_argument(
        "--model", nargs="+", default=[DEMO_MODEL], help="folders or Hub ids (default: the bundled weights)"
    )
    parser.set_defaults(run=_demo)


def _demo(args):
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported
    from ..demo.command import serve

    serve(args.model)
