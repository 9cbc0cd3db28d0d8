"""What several commands take: a source, a target pose, a model."""

from pathlib import Path

from .. import DEMO_MODEL


def add_source(parser):
    parser.add_argument("source", metavar="SOURCE", help="photo of one person, or the name of a bundled person")
    parser.add_argument("--source-pose", type=Path, help="OpenPose JSON in the photo's pixels (default: detected)")


def add_backdrop(parser):
    parser.add_argument(
        "--backdrop",
        default="plain",
        help="plain (default), keep (the photo's own), a colour such as #aabbcc or white, or a picture",
    )


def check_backdrop(backdrop: str) -> None:
    """The source's own backdrop is what is left of it without the person, who has to be found."""
    from ..inputs import KEEP
    from ..poses.blazepose import need_detector

    if backdrop == KEEP:
        need_detector()


def add_model(parser):
    parser.add_argument("--model", default=DEMO_MODEL, help="folder or Hub id (default: the bundled weights)")
    parser.add_argument("--device", help="such as cpu, cuda, mps (default: cuda where there is one)")
    parser.add_argument("--seed", type=int, default=0, help="for models that start from noise (default: 0)")


def read_source(source: str, pose: Path | None):
    """The source's picture and its pose."""
    from ..images.opening import open_image
    from ..poses.pose import Pose

    found = None
    if Path(source).exists():
        image = open_image(source)
    else:
        from .. import gallery

        if source not in gallery.people():
            names = gallery.people()
            raise ValueError(f"{source}: no such photo, nor a bundled person ({names[0]} to {names[-1]})")
        image, found = gallery.person(source)
    if pose is not None:
        found = Pose.from_openpose(pose, image.size)
    return image, found or Pose.detect(image)


def read_target(pose: str):
    from ..inputs import read_pose

    if Path(pose).exists():
        return read_pose(pose)
    from .. import gallery

    if pose not in gallery.poses():
        names = gallery.poses()
        raise ValueError(f"{pose}: no such photo or JSON, nor a bundled pose ({names[0]} to {names[-1]})")
    return gallery.pose(pose)


def load(args):
    """The pipeline on its device, and the generator of its noise."""
    from ..hub.checks import model_folder

    folder = model_folder(args.model)
    import torch
    from diffusers.utils import logging

    from ..pipeline import ScaGan

    logging.disable_progress_bar()
    device = args.device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(f"--device {device}: {str(error).splitlines()[0]}") from error
    return ScaGan.from_pretrained(folder).to(device), torch.Generator().manual_seed(args.seed % 2**63)
