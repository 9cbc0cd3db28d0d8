"""`scagan`: the command line. Each command reads its input, refuses what is bad, and only then loads torch.

A new command is one more pair of functions below: what it takes, and what it does.
"""

import argparse
import sys
from pathlib import Path

from . import DEMO_MODEL


def main(argv: list[str] | None = None) -> int:
    """Run one command.

    Returns:
        the exit status: 0, or 1 after one line on stderr where the input was bad (argparse exits with 2).
    """
    args = build_parser().parse_args(argv)
    try:
        args.run(args)
    except (ValueError, OSError, ImportError) as error:  # ImportError: an extra is not installed
        print(f"scagan: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scagan", description="One photo of a person, any pose (SCA-GAN).")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for add in (_add_generate, _add_animate, _add_convert):
        add(commands)
    return parser


# -- generate


def _add_generate(commands):
    parser = commands.add_parser("generate", help="one picture of a person in another pose")
    _add_source(parser)
    parser.add_argument("--pose", required=True, help="photo, OpenPose JSON, or the name of a bundled pose")
    parser.add_argument("--output", required=True, type=Path, help="picture to write (.png, .jpg, .webp)")
    _add_model(parser)
    parser.set_defaults(run=_generate)


def _generate(args):
    from .writing import check_writable, whole_file

    _check_picture_format(check_writable(args.output))
    image, source_pose = _read_source(args.source, args.source_pose)
    target_pose = _read_target(args.pose)
    pipe, generator = _load(args)
    out = pipe(image, target_pose, source_pose=source_pose, generator=generator)
    with whole_file(args.output) as partial:
        out.images[0].save(partial)


def _check_picture_format(path: Path):
    from PIL import Image

    known = Image.registered_extensions()
    if known.get(path.suffix.lower()) not in Image.SAVE:
        raise ValueError(f"cannot write {path}: expected a picture's suffix such as .png, got {path.suffix!r}")


# -- animate


def _add_animate(commands):
    parser = commands.add_parser("animate", help="one person in many poses, as a film")
    _add_source(parser)
    parser.add_argument(
        "--poses",
        required=True,
        type=Path,
        help="folder of photos or OpenPose JSON files, or a JSON list of poses",
    )
    parser.add_argument("--output", required=True, type=Path, help="film to write (.mp4, .gif, .webp)")
    parser.add_argument("--fps", type=float, default=12, help="pictures a second (default: 12)")
    _add_model(parser)
    parser.set_defaults(run=_animate)


def _animate(args):
    from .video import check_format, write_animation
    from .writing import check_writable, whole_file

    check_format(check_writable(args.output))
    if not 0 < args.fps <= 120:
        raise ValueError(f"--fps: expected more than 0 and at most 120 pictures a second, got {args.fps:g}")
    image, source_pose = _read_source(args.source, args.source_pose)
    poses = _read_poses(args.poses)
    pipe, generator = _load(args)
    pictures = pipe.animate(image, poses, source_pose=source_pose, generator=generator)
    with whole_file(args.output) as partial:
        write_animation(pictures, partial, args.fps)


def _read_poses(path: Path) -> list:
    from .arguments import read_pose
    from .openpose import parse_json

    if path.is_dir():
        poses = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    else:
        if not path.is_file():
            raise ValueError(f"--poses: no such folder or file: {path}")
        poses = parse_json(path.read_text(encoding="utf-8"), str(path))
        if not (isinstance(poses, list) and poses and all(isinstance(pose, dict) for pose in poses)):
            poses = [poses]
    if not poses:
        raise ValueError(f"--poses: there is no file in {path}; expected photos or OpenPose JSON files")
    return [read_pose(pose) for pose in poses]


# -- convert


def _add_convert(commands):
    parser = commands.add_parser("convert", help="the authors' released weights -> this package's format")
    parser.add_argument("checkpoint", type=Path, metavar="LATEST_NETG.pth", help="generator of the release")
    parser.add_argument("--output", required=True, type=Path, help="folder to write the model to")
    parser.set_defaults(run=_convert)


def _convert(args):
    if not args.checkpoint.is_file():
        raise ValueError(f"no such file: {args.checkpoint}; give the release's generator, latest_netG.pth")
    from .official import convert

    convert(args.checkpoint, args.output)


# -- shared by generate and animate


def _add_source(parser):
    parser.add_argument("source", metavar="SOURCE", help="photo of one person, or the name of a bundled person")
    parser.add_argument("--source-pose", type=Path, help="OpenPose JSON in the photo's pixels (default: detected)")


def _add_model(parser):
    parser.add_argument("--model", default=DEMO_MODEL, help="folder or Hub id (default: the bundled weights)")
    parser.add_argument("--device", help="such as cpu, cuda, mps (default: cuda where there is one)")
    parser.add_argument("--seed", type=int, default=0, help="for models that start from noise (default: 0)")


def _read_source(source: str, pose: Path | None):
    """The source's picture and its pose."""
    from .photo import open_image
    from .pose import Pose

    found = None
    if Path(source).exists():
        image = open_image(source)
    else:
        from . import gallery

        if source not in gallery.people():
            names = gallery.people()
            raise ValueError(f"{source}: no such photo, nor a bundled person ({names[0]} to {names[-1]})")
        image, found = gallery.person(source)
    if pose is not None:
        found = Pose.from_openpose(pose, image.size)
    return image, found or Pose.detect(image)


def _read_target(pose: str):
    from .arguments import read_pose

    if Path(pose).exists():
        return read_pose(pose)
    from . import gallery

    if pose not in gallery.poses():
        names = gallery.poses()
        raise ValueError(f"{pose}: no such photo or JSON, nor a bundled pose ({names[0]} to {names[-1]})")
    return gallery.pose(pose)


def _load(args):
    """The pipeline on its device, and the generator of its noise."""
    from .loading import model_folder

    folder = model_folder(args.model)
    import torch
    from diffusers.utils import logging

    from .pipeline import ScaGan

    logging.disable_progress_bar()
    device = args.device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(f"--device {device}: {str(error).splitlines()[0]}") from error
    return ScaGan.from_pretrained(folder).to(device), torch.Generator().manual_seed(args.seed % 2**63)


if __name__ == "__main__":
    sys.exit(main())
