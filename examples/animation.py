"""A film: a bundled person walks, or moves from one pose to another and back.

python examples/animation.py --output walk.mp4
python examples/animation.py --person person09 --keys person09-view2 person09-view4 --output keys.webp
"""

import argparse

from scagan_hub import DEMO_MODEL, ScaGan, gallery
from scagan_hub.images.video import write_animation
from scagan_hub.poses.motion import in_betweens, motion


def main(argv: list[str] | None = None):
    parser = argparse.ArgumentParser()
    parser.add_argument("--person", default="person02", help="name of a bundled person")
    parser.add_argument("--motion", default="walk", help="walk, turn or wave")
    parser.add_argument("--keys", nargs="+", help="names of bundled poses to move between, in place of a motion")
    parser.add_argument("--pictures", type=int, default=24)
    parser.add_argument("--output", default="walk.mp4", help=".mp4, .gif or .webp")
    args = parser.parse_args(argv)

    pipe = ScaGan.from_pretrained(DEMO_MODEL)
    image, source_pose = gallery.person(args.person)
    if args.keys:
        keys = [gallery.pose(name) for name in args.keys]
        poses = in_betweens([*keys, keys[0]], args.pictures)
    else:
        poses = motion(args.motion, args.pictures)
    write_animation(pipe.animate(image, poses, source_pose=source_pose), args.output)


if __name__ == "__main__":
    main()
