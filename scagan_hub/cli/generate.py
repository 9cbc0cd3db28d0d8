"""`scagan generate`: one picture of a person in another pose."""

from pathlib import Path

from .inputs import add_backdrop, add_model, add_source, check_backdrop, load, read_source, read_target


def add(commands):
    parser = commands.add_parser("generate", help="one picture of a person in another pose")
    add_source(parser)
    parser.add_argument("--pose", required=True, help="photo, OpenPose JSON, or the name of a bundled pose")
    parser.add_argument("--output", required=True, type=Path, help="picture to write (.png, .jpg, .webp)")
    add_backdrop(parser)
    add_model(parser)
    parser.set_defaults(run=_generate)


def _generate(args):
    from ..files.writing import check_writable, whole_file
    from ..inputs import read_backdrop

    _check_picture_format(check_writable(args.output))
    check_backdrop(args.backdrop)
    image, source_pose = read_source(args.source, args.source_pose)
    target_pose, backdrop = read_target(args.pose), read_backdrop(args.backdrop)
    pipe, generator = load(args)
    out = pipe(image, target_pose, source_pose=source_pose, generator=generator, backdrop=backdrop)
    with whole_file(args.output) as partial:
        out.images[0].save(partial)


def _check_picture_format(path: Path):
    from PIL import Image

    known = Image.registered_extensions()
    if known.get(path.suffix.lower()) not in Image.SAVE:
        raise ValueError(f"cannot write {path}: expected a picture's suffix such as .png, got {path.suffix!r}")
