"""One picture of a bundled person in a bundled pose, and what the model saw on the way.

python examples/quickstart.py                              # writes quickstart.png
python examples/quickstart.py me.jpg --pose you.jpg        # with photos of your own
"""

import argparse

from PIL import Image

from scagan_hub import DEMO_MODEL, Pose, ScaGan, gallery


def main(argv: list[str] | None = None):
    parser = argparse.ArgumentParser()
    parser.add_argument("photo", nargs="?", help="photo of one person (default: a bundled one)")
    parser.add_argument("--pose", help="photo of somebody in the target pose (default: a bundled one)")
    parser.add_argument("--output", default="quickstart.png")
    args = parser.parse_args(argv)

    pipe = ScaGan.from_pretrained(DEMO_MODEL)
    person, source_pose = (args.photo, None) if args.photo else gallery.person("person05")
    pose = Pose.detect(args.pose) if args.pose else gallery.pose("person14-view1")

    out = pipe(person, pose, source_pose=source_pose)
    steps = [out.target_poses[0].draw(), out.edges[0].convert("RGB"), out.images[0]]
    width, height = pipe.picture_size
    sheet = Image.new("RGB", (width * len(steps), height))
    for i, step in enumerate(steps):
        sheet.paste(step, (i * width, 0))
    sheet.save(args.output)


if __name__ == "__main__":
    main()
