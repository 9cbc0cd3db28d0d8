"""Everybody in a folder of photos in one pose; what cannot be drawn is named and passed over.

python examples/batch_folder.py photos/ --pose person11-view1 --output drawn/
"""

import argparse
import sys
from pathlib import Path

from scagan_hub import DEMO_MODEL, ScaGan, gallery


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path, help="folder of photos, one person each")
    parser.add_argument("--pose", default="person11-view1", help="name of a bundled pose")
    parser.add_argument("--output", type=Path, default=Path("drawn"), help="folder for the pictures")
    args = parser.parse_args(argv)

    pipe = ScaGan.from_pretrained(DEMO_MODEL)
    pose = gallery.pose(args.pose)
    args.output.mkdir(parents=True, exist_ok=True)
    failed = 0
    for photo in sorted(file for file in args.folder.iterdir() if file.is_file()):
        try:
            picture = pipe(photo, pose).images[0]
        except ValueError as error:  # no picture, nobody in it
            print(error, file=sys.stderr)
            failed += 1
            continue
        picture.save(args.output / f"{photo.stem}.png")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
