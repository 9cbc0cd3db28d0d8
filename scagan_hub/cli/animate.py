"""`scagan animate`: one person in many poses, as a film."""

from pathlib import Path

from .inputs import add_backdrop, add_model, add_source, check_backdrop, load, read_source


def add(commands):
    parser = commands.add_parser("animate", help="one person in many poses, as a film")
    add_source(parser)
    parser.add_argument(
        "--poses",
        required=True,
        type=Path,
        help="folder of photos or OpenPose JSON files, a JSON list of poses, or walk, turn, wave",
    )
    parser.add_argument("--output", required=True, type=Path, help="film to write (.mp4, .gif, .webp)")
    parser.add_argument("--fps", type=float, default=12, help="pictures a second (default: 12)")
    add_backdrop(parser)
    add_model(parser)
    parser.set_defaults(run=_animate)


def _animate(args):
    from ..files.writing import check_writable, whole_file
    from ..images.video import check_format, write_animation
    from ..inputs import read_backdrop

    check_format(check_writable(args.output))
    check_backdrop(args.backdrop)
    if not 0 < args.fps <= 120:
        raise ValueError(f"--fps: expected more than 0 and at most 120 pictures a second, got {args.fps:g}")
    image, source_pose = read_source(args.source, args.source_pose)
    poses, backdrop = _read_poses(args.poses), read_backdrop(args.backdrop)
    pipe, generator = load(args)
    pictures = pipe.animate(image, poses, source_pose=source_pose, generator=generator, backdrop=backdrop)
    with whole_file(args.output) as partial:
        write_animation(pictures, partial, args.fps)


def _read_poses(poses: Path) -> list:
    from ..inputs import read_pose
    from ..poses import motion

    if poses.is_dir():
        files = sorted(file for file in poses.iterdir() if file.is_file() and not file.name.startswith("."))
        if not files:
            raise ValueError(f"--poses: there is no file in {poses}; expected photos or OpenPose JSON files")
        return [read_pose(file) for file in files]
    if poses.is_file():
        return motion.read_motion(poses)
    if str(poses) in motion.MOTIONS:
        return motion.motion(str(poses))
    raise ValueError(f"--poses: no such folder or file: {poses}, nor a bundled one ({', '.join(motion.MOTIONS)})")
