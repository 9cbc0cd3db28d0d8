"""`scagan train`: the training; `accelerate launch -m scagan_hub.cli train` on several devices."""


def add(commands):
    # All that follows is the training's own to read: there is no option here, nor a prefix that would make one.
    parser = commands.add_parser(
        "train", help="train both nets (--help: every option)", add_help=False, prefix_chars="\0"
    )
    parser.add_argument("options", nargs="*")
    parser.set_defaults(run=_train)


def _train(args) -> int:
    from ..training.__main__ import main

    return main("scagan train", args.options)
