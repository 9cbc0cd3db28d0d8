"""A data set's folder as one of the Hub: rows for `datasets.load_dataset(folder)`, and the front matter of its card."""

import json
from pathlib import Path

from huggingface_hub.utils import yaml_dump

from ..files.writing import whole_file
from .annotations import read_annotations, read_pairs
from .layouts import Split, map_name, person, splits

ROWS = "metadata-{}.jsonl"  # of a split; in the root, since rows may name files beside and below them alone


def write_metadata(root: str | Path, people: dict[str, str] | None = None) -> None:
    """Writes `metadata-{split}.jsonl` of every split: a line an image, as the Hub's image folders have it.

    A row of the loaded data set has `image`, `parsing` (where there are maps), `keypoints` (18 of x, y, confidence, in
    pixels), `person`, and `targets`: names of the images that pairs have this one for the source of.

    Args:
        root: the data set's folder, in one of the layouts of `layouts.py`.
        people: who is in an image, by its name; None: as names say.
    Raises:
        ValueError: a table cannot be read, or the folder cannot be written.
    """
    for name in splits(root):
        try:
            files = Split(root, name)
        except ValueError:  # a split that isn't there
            continue
        annotations, pairs = read_annotations(files.annotations), read_pairs(files.pairs)
        names = files.resolve({image for pair in pairs for image in pair} | annotations.keys())
        targets: dict[str, list[str]] = {}
        for source, target in pairs:
            targets.setdefault(names[source], []).append(names[target])
        maps, rows = files.parsing_maps(), []
        for label, keypoints in annotations.items():
            image = names[label]
            row = {"file_name": f"{name}/{image}"}
            if map_name(image) in maps:
                row["parsing_file_name"] = f"{files.parsings.name}/{map_name(image)}"
            who = people[image] if people else person(image)
            rows.append(row | {"keypoints": keypoints.tolist(), "person": who, "targets": targets.get(image, [])})
        with whole_file(Path(root) / ROWS.format(name)) as partial:
            partial.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def front_matter(root: str | Path, name: str, licence: str, tags: list[str]) -> str:
    """The YAML that a card of this data set begins with, its marks included."""
    there = {split: ROWS.format(split) for split in splits(root) if (Path(root) / ROWS.format(split)).is_file()}
    files = [{"split": split.replace("-", "_"), "path": [f"{split}/*", rows]} for split, rows in there.items()]
    about = {
        "pretty_name": name,
        "license": licence,
        "task_categories": ["image-to-image"],
        "tags": ["pose-transfer", "person-image-synthesis", *tags],
        "configs": [{"config_name": "default", "metadata_filenames": list(there.values()), "data_files": files}],
    }
    return f"---\n{yaml_dump(about)}---\n"
