"""`scagan prepare`: a data set of any folder of photos."""

from collections import Counter
from pathlib import Path


def add(commands):
    parser = commands.add_parser("prepare", help="make a data set of any folder of photos")
    parser.add_argument(
        "photos", type=Path, metavar="PHOTOS", help="folder of photos, named PERSON_VIEW or a folder each"
    )
    parser.add_argument("--output", required=True, type=Path, help="folder to write the data set to")
    parser.add_argument("--identities", type=Path, help="CSV `name,identity`: who is in which photo (default: by name)")
    parser.add_argument("--test", type=float, default=0.1, help="share of the people held out (default: 0.1)")
    parser.add_argument("--seed", type=int, default=0, help="of the drawing of those held out (default: 0)")
    parser.set_defaults(run=_prepare)


def _prepare(args):
    from ..data.prepare import prepare
    from ..poses.blazepose import need_detector

    need_detector()
    splits, dropped = prepare(args.photos, args.output, args.identities, args.test, args.seed, print)
    for split, views in splits.items():
        people, worn = {view.identity for view in views}, Counter(view.outfit for view in views)
        pairs = sum(number * (number - 1) for number in worn.values())
        print(f"{split}: {len(people):,} people, {len(views):,} images, {pairs:,} pairs")
    if "test" not in splits:
        print("one person alone: nobody is held out, so there is no test split")
    if dropped:
        print(f"dropped {len(dropped):,} photos, named in {args.output / 'dropped.csv'}:")
        for why, number in Counter(dropped.values()).most_common():
            print(f"{number:6,} {why}")
