"""`scagan domain`: what a model was trained on, measured, for the warnings of the demo."""

import json
from pathlib import Path


def add(commands):
    parser = commands.add_parser("domain", help="measure what a model was trained on, for the demo's warnings")
    parser.add_argument("--data", required=True, type=Path, help="data set folder; its test split checks the measure")
    parser.add_argument("--model", required=True, type=Path, help="folder of the model that was trained on it")
    parser.set_defaults(run=_domain)


def _domain(args):
    from ..domain import FILE, Domain
    from ..files.writing import check_writable

    output = check_writable(args.model / FILE)
    pictures, poses = _split(args.data, "train")
    if len(poses) < 200:
        raise ValueError(f"{args.data}: expected at least 200 training pictures to measure, got {len(poses)}")
    domain = Domain.measure(pictures, poses)
    report = {"training pictures": len(poses)}
    pictures, poses = _split(args.data, "test")
    for kind, scores in (
        ("pictures", [domain.picture_score(picture) for picture in pictures]),
        ("poses", [domain.pose_score(pose) for pose in poses]),
    ):
        beyond = sum(score > 1 for score in scores) / max(len(scores), 1)
        report[f"held-out {kind}"] = {"count": len(scores), "share above 1": round(beyond, 4)}
    domain.save(output)
    print(json.dumps(report, indent=2))


def _split(folder: Path, split: str):
    """The pictures, one after the other, and the poses of a split."""
    from ..data.annotations import read_annotations
    from ..data.layouts import Split
    from ..images.opening import open_image
    from ..poses.pose import Pose

    tables = Split(folder, split)
    keypoints = read_annotations(tables.annotations)
    files = [tables.images / name for name in tables.resolve(keypoints).values()]
    if not files:
        raise ValueError(f"{folder}: there is no picture in {tables.annotations.name}")
    size = open_image(files[0]).size
    return map(open_image, files), [Pose(values, size) for values in keypoints.values()]
