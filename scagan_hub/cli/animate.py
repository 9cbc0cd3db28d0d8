"""`scagan animate`: one person in many poses, as a film."""

from pathlib import Path

from .inputs import add_model, add_source, load, read_source


def add(commands):
    parser = commands.add_parser("animate", help="one person in many poses, as a film")
    add_source(parser)
    parser.add_argument(
        "--poses",
        required=True,
        type=Path,
        help="folder of photos or OpenPose JSON files, or a JSON list of poses",
    )
    parser.add_argument("--output", required=True, type=Path, help="film to write (.mp4, .gif, .webp)")
    parser.add_argument("--fps", type=float, default=12, help="pictures a second (default: 12)")
    add_model(parser)
    parser.set_defaults(run=_animate)


def _animate(args):
    from ..video import check_format, write_animation
    from ..writing import check_writable, whole_file

    check_format(check_writable(args.output))
    if not 0 < args.fps <= 120:
        raise ValueError(f"--fps: expected more than 0 and at most 120 pictures a second, got {args.fps:g}")
    image, source_pose = read_source(args.source, args.source_pose)
    poses = _read_poses(args.poses)
    pipe, generator = load(args)
    pictures = pipe.animate(image, poses, source_pose=source_pose, generator=generator)
    with whole_file(args.output) as partial:
        write_animation(pictures, partial, args.fps)


def _read_poses(path: Path) -> list:
    from ..arguments import read_pose
    from ..openpose import parse_json

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
