"""Training pairs: two images of one person and their poses, read from a data set's folder.

Only decoding happens here; edges, heatmaps and alignment are made on the device by `Content`.
"""

from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from ..poses.pose import Pose
from .annotations import pose_faults, read_annotations, read_pairs
from .augment import cut_out, plain_ground
from .images import read_image, read_parsing
from .layouts import Split, correspondences_name, map_name, view_number
from .places import places_between
from .sampler import Draw


class PosePairs(Dataset):
    """Pairs of pictures of one person with both poses.

    Attributes: `pairs`, (source, target) names of image files; `annotations`, (18,3) x, y, confidence by such a name;
    `images`, the folder that they are in.

    Args:
        root: the data set's folder, in one of the layouts of `layouts.py`.
        split: "train" or "test".
        image_size: (height, width) of all images; None: what the layout says, else the first image's.
        parsing: whether items have the parsing maps of `{split}_parsing/`, a palette PNG an image, too.
        places: whether items say where the source shows what the target shows, too, from the correspondences of
            rendered people in `{split}_correspondences/`; then they have parsing maps as well.
    Raises:
        ValueError: at construction, naming what is wrong: a table or a column is missing, a paired name has no image,
            no annotation, no parsing map or no correspondences, the first image has another size, a pose has no joint
            or one outside.
    """

    def __init__(
        self,
        root: str | Path,
        split: str,
        image_size: tuple[int, int] | None = None,
        parsing: bool = False,
        places: bool = False,
    ):
        files = Split(root, split)
        self.root, self.images, self.parsings = files.root, files.images, files.parsings
        self.correspondences, self.parsing, self.places = files.correspondences, parsing or places, places
        pairs, annotations = read_pairs(files.pairs), read_annotations(files.annotations)
        if not pairs:
            raise ValueError(f"{files.pairs}: names no pair")
        names = files.resolve({name for pair in pairs for name in pair} | annotations.keys())
        self.pairs = [(names[source], names[target]) for source, target in pairs]
        self.annotations = {names[name]: keypoints for name, keypoints in annotations.items()}
        paired = {name for pair in self.pairs for name in pair}
        self._check_presence(files, paired)
        if places:
            self._check_correspondences(files, paired)
        first = read_image(self.images / self.pairs[0][0], image_size or files.layout.image_size)
        self.image_size = first.size[::-1]
        self._check_keypoints(files, sorted(paired))

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: "int | tuple | Draw") -> dict:
        """One pair; `index` may be a `Draw`, or the beginning of one, such as (index, mirrored).

        Returns:
            source_image, target_image (3,H,W) uint8; source_pose, target_pose (18,3) float32; names; with `parsing`
            also source_parsing, target_parsing (H,W) uint8, indices of `PARSING`; with `places` also places (2,H,W)
            float32 and state (H,W) uint8, as of `places_between`: known at every second row and column, [::2, ::2].
        Raises:
            ValueError: the draw wants a plain ground, which needs `parsing`.
            BadImage: a file cannot be read.
        """
        draw = Draw(*index) if isinstance(index, tuple) else Draw(index)
        source, target = self.pairs[draw.index]
        names = (target if draw.identity else source, target)
        item = {"names": "->".join(names)}
        for role, name in zip(("source", "target"), names, strict=True):
            item[f"{role}_image"], item[f"{role}_pose"] = self.view(name, draw.mirrored)
            if self.parsing:
                item[f"{role}_parsing"] = self.parsing_map(name, draw.mirrored)
        if draw.ground is not None:
            self._cut_out(item, draw.ground)
        if self.places:
            item["places"], item["state"] = self._places(names, item, draw.mirrored)
        return item

    def view(self, name: str, mirrored: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
        """One picture (3,H,W) uint8 and its pose (18,3).

        Raises:
            BadImage: the file cannot be read, or has another size.
        """
        pixels = np.asarray(read_image(self.images / name, self.image_size).convert("RGB"))
        keypoints = self.annotations[name]
        if mirrored:
            pixels = pixels[:, ::-1]
            keypoints = Pose(keypoints, self.image_size[::-1]).mirror().keypoints
        return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))), torch.from_numpy(np.array(keypoints))

    def parsing_map(self, name: str, mirrored: bool = False) -> torch.Tensor:
        """The parsing map of one picture, (H,W) uint8: indices of `PARSING`.

        Raises:
            BadImage: the file cannot be read, has another size, no palette, or other classes.
        """
        classes = read_parsing(self.parsings / map_name(name), self.image_size)
        return torch.from_numpy(np.array(classes[:, ::-1] if mirrored else classes))

    def _cut_out(self, item: dict, seed: int) -> None:
        if not self.parsing:
            raise ValueError("a plain ground needs parsing maps to cut people out by: PosePairs(..., parsing=True)")
        ground = plain_ground(seed, self.image_size[0])
        for role in ("source", "target"):
            item[f"{role}_image"] = cut_out(item[f"{role}_image"], item[f"{role}_parsing"], ground)

    def _places(self, names: tuple[str, str], item: dict, mirrored: bool) -> tuple[torch.Tensor, torch.Tensor]:
        maps = [item[f"{role}_parsing"].numpy()[:, :: -1 if mirrored else 1] for role in ("source", "target")]
        path = self.correspondences / correspondences_name(names[1])
        places, state = places_between(path, *map(view_number, names), *maps, mirrored)
        return torch.from_numpy(places), torch.from_numpy(state)

    def _check_presence(self, files: Split, paired: set[str]) -> None:
        there = {"annotation": paired & self.annotations.keys(), "image": paired & files.files}
        if self.parsing:
            maps = files.parsing_maps()
            there["parsing map"] = {name for name in paired if map_name(name) in maps}
        for what, found in there.items():
            if missing := sorted(paired - found):
                raise ValueError(f"{self.root}, {files.name}: {len(missing)} paired names have no {what}: {missing[0]}")

    def _check_correspondences(self, files: Split, paired: set[str]) -> None:
        there = files.correspondences_files()
        for name in sorted(paired):
            file = correspondences_name(name)
            if view_number(name) is None or file not in there:
                raise ValueError(
                    f"no file {self.correspondences / file}, which says where other pictures show what {name} shows: "
                    f"for rendered people, `scagan people --output {self.root} --correspondences` writes it, with the "
                    "other arguments of their manifest.json"
                )
        for source, target in self.pairs:
            if correspondences_name(source) != correspondences_name(target):
                raise ValueError(f"{files.pairs}: expected pairs of one person for places, got {source} and {target}")

    def _check_keypoints(self, files: Split, names: list[str]) -> None:
        faults = pose_faults(np.stack([self.annotations[name] for name in names]), self.image_size)
        if faults:
            i = next(iter(faults))
            raise ValueError(
                f"{files.annotations}: {names[i]}: {faults[i]}; {len(faults)} paired images have such a pose, "
                f"`scagan verify {self.root}` names them all"
            )
