"""What a model makes of real photographs: a sheet to look at, and figures of pairs whose truth is known.

    python benchmarks/photographs.py MODEL [--before MODEL] [--sheet docs/photographs.webp] [--pairs 40]
        [--docs docs/photographs.md]

The sheet shows photographs in three bundled poses. The pairs are frames of one film (`clips.py`), half of it apart:
figures are of the person alone, where BlazePose's map of the true frame says that they are; results and truth are cut
out and lie on one plain ground. Sources are given as photos, which are cut out, and as studio pictures, which are not.
--docs puts the figures between the marks `<!-- photographs -->` and `<!-- /photographs -->` of that file. About three
minutes of one core.
"""

import argparse
import io
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from clips import CLIPS, Clip, ensure_films, read_frames
from held_out import put
from PIL import Image, ImageDraw, ImageFont

from scagan_hub import Pose, ScaGan, gallery
from scagan_hub.backdrop import shown_before
from scagan_hub.evaluation import comparison
from scagan_hub.evaluation.intervals import interval, mean
from scagan_hub.evaluation.keypoints import MISSING, pckh_counts
from scagan_hub.evaluation.lpips import Lpips
from scagan_hub.evaluation.metrics import full_reference
from scagan_hub.features.weights import locate
from scagan_hub.images.opening import open_image
from scagan_hub.inputs import PLAIN
from scagan_hub.photos.crop import fit_photo
from scagan_hub.photos.cutout import GROUND, Scene, scene_of

POSES = {"from the front": "person23-view1", "turned": "person01-view1", "walking": "person16-view3"}
PHOTO = Path(__file__).parents[1] / "examples" / "photo.jpg"
SIZE = gallery.SIZE
CELL, GAP, HEAD = (158, 230), 20, 18  # pixels of the sheet: a picture, between its halves, a line of text
MOST = 300_000  # bytes of the sheet
PCKH = "PCKh-BlazePose"
METRICS = ("LPIPS", "SSIM", "L1", PCKH)
COPY, RAW, CUT = "The source itself, cut out", "as it is", "cut out"


@dataclass(frozen=True)
class Photo:
    """A photograph: as it is and cut out, both cropped to the nets' size, and the pose there."""

    name: str
    raw: Image.Image
    scene: Scene

    @classmethod
    def of(cls, name: str, photo: Image.Image, pose: Pose) -> "Photo":
        return cls(name, fit_photo(photo, pose, SIZE)[0], scene_of(photo, pose, None, SIZE))

    @property
    def person(self) -> np.ndarray:
        """(H,W) bool, in the nets' picture."""
        if self.scene.mask is None:
            return np.ones(SIZE[::-1], bool)
        alone = Image.new("RGB", SIZE, "white")
        return np.asarray(self.scene.alone(alone, "black"))[..., 0] > 127


def make(
    pipe: ScaGan, source: Image.Image, pose: Pose, targets: list[Pose], backdrop=PLAIN, mask: Image.Image | None = None
) -> list[Image.Image]:
    """Pictures of a source, its person encoded once; targets in pixels of the nets' pictures."""
    with torch.inference_mode():
        encoded = pipe.encode(source, pose, source_mask=mask)
        return shown_before(backdrop, pipe.render(encoded, targets), targets, encoded.scenes, "pil")


def rows_of(pipes: dict[str, ScaGan], photo: Photo) -> list[list[Image.Image]]:
    """A row a model: the photo (above as it is, below cut out), then the results in its own pose and in `POSES`."""
    cut, pose = photo.scene.fitted()
    targets = [pose, *map(gallery.pose, POSES.values())]
    sources = [photo.raw, cut] if len(pipes) > 1 else [cut]
    scene = photo.scene
    made = [make(pipe, scene.photo, scene.pose, targets, mask=scene.mask) for pipe in pipes.values()]
    return [[source, *pictures] for source, pictures in zip(sources, made, strict=True)]


def layout(blocks: list[list[list[Image.Image]]], header: list[Image.Image], titles: list[str]) -> Image.Image:
    """Blocks of rows of pictures, two blocks side by side below a header and its titles."""
    (width, height), columns, rows = CELL, len(titles), len(blocks[0])
    lines = (len(blocks) + 1) // 2
    across = columns * width
    sheet = Image.new("RGB", (2 * across + GAP, HEAD + height + lines * (rows * height + GAP)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)

    def paste(pictures: list[Image.Image], left: int, top: int) -> None:
        for column, picture in enumerate(pictures, columns - len(pictures)):
            sheet.paste(picture.resize(CELL, Image.Resampling.LANCZOS), (left + column * width, top))

    for left in (0, across + GAP):
        for column, title in enumerate(titles):
            draw.text((left + column * width + 4, 1), title, "black", font)
        paste(header, left, HEAD)
    for number, block in enumerate(blocks):
        line, half = divmod(number, 2)
        top = HEAD + height + GAP + line * (rows * height + GAP)
        for row, made in enumerate(block):
            paste(made, half * (across + GAP), top + row * height)
    return sheet


def webp(sheet: Image.Image) -> bytes:
    """The sheet in at most `MOST` bytes, as good as that goes."""
    for quality in range(85, 10, -5):
        file = io.BytesIO()
        sheet.save(file, "WEBP", quality=quality, method=4)
        if file.tell() <= MOST:
            break
    return file.getvalue()


class Figures:
    """Gathers figures of pairs, method by method.

    Args:
        distance: LPIPS of uint8 pictures (n,H,W,3) twice -> (n,).
    """

    def __init__(self, distance):
        self.distance = distance
        self.clips: list[int] = []
        self.values: dict[str, dict[str, list[float]]] = {}
        self.joints: list[float] = []

    def add(self, clip: int, made: dict[str, Image.Image], truth: Image.Image, person: np.ndarray, pose: Pose) -> None:
        """A pair's results by method, its true picture, where the person is in it, and their pose."""
        self.clips.append(clip)
        reference = _before_ground(truth, person)
        wanted = keypoints(pose)
        for method, picture in made.items():
            result = _before_ground(picture, person)
            found = full_reference(result, reference, masks=[person[None]], names=("SSIM", "L1"))
            hits, joints = pckh_counts(detected(picture)[None], wanted[None])
            values = {"LPIPS": float(self.distance(result, reference)[0])}
            values |= {name: float(found[name][0, 0]) for name in found}
            values[PCKH] = float(hits[0] / joints[0]) if joints[0] else np.nan
            for name in METRICS:
                self.values.setdefault(method, {}).setdefault(name, []).append(values[name])
        self.joints.append(float(joints[0]))

    def table(self) -> dict:
        """In the form that `comparison.measured` writes; intervals are drawn clip by clip."""
        clips = np.array(self.clips)

        def summed(method: dict, other: dict | None = None) -> dict:
            found = {}
            for name in METRICS:
                values = np.array(method[name]) - (0 if other is None else np.array(other[name]))
                weights = np.array(self.joints) if name == PCKH else None
                found[name] = {"value": mean(values, weights), "interval": interval(values, weights, clips)}
            return found

        rows = {method: summed(values) for method, values in self.values.items()}
        to = next(method for method in rows if method.endswith(CUT) and method != COPY)
        return {
            "protocol": "unpadded, person alone",
            "pairs": len(clips),
            "data": "frames of films",
            "rows": {method: {name: v["value"] for name, v in row.items()} for method, row in rows.items()},
            "intervals": {method: {name: v["interval"] for name, v in row.items()} for method, row in rows.items()},
            "differences": {
                "to": to,
                "rows": {
                    m: summed(values, self.values[to]) for m, values in self.values.items() if m not in (to, COPY)
                },
            },
            "not_available": {},
        }


def _before_ground(picture: Image.Image, person: np.ndarray) -> np.ndarray:
    return np.where(person[..., None], np.asarray(picture), np.array(GROUND, np.uint8))[None]


def keypoints(pose: Pose) -> np.ndarray:
    """(18,2) y, x; -1 where a joint is missing."""
    return np.where(pose.present[:, None], pose.points[:, ::-1], MISSING)


def detected(picture: Image.Image) -> np.ndarray:
    """`keypoints` of the person in a picture, all missing where there is nobody."""
    try:
        return keypoints(Pose.detect(picture))
    except ValueError:
        return np.full((18, 2), MISSING, float)


def lpips():
    """LPIPS by AlexNet of uint8 pictures (n,H,W,3) twice -> (n,)."""
    net = Lpips("AlexNet", locate("AlexNet")[0])
    return lambda *pictures: net(*map(torch.from_numpy, pictures)).numpy()


def results(pipes: dict[str, ScaGan], source: Photo, pose: Pose) -> dict[str, Image.Image]:
    """A pair's pictures by method, all of them cut out and laid on the plain ground, as `backdrop=GROUND` does it."""
    cut, own = source.scene.fitted()
    made = {COPY: cut}
    for title, pipe in pipes.items():
        scene = source.scene
        made[f"{title}, {RAW}"] = make(pipe, source.raw, own, [pose], GROUND)[0]
        made[f"{title}, {CUT}"] = make(pipe, scene.photo, scene.pose, [pose], GROUND, scene.mask)[0]
    return made


def photos_of(clip: Clip, films: Path, frames: list[int]) -> dict[int, Photo]:
    """Photos by frame; a frame where the person isn't found is missing."""
    found = {}
    for number, picture in read_frames(films / clip.file, frames).items():
        photo = clip.photo(number, picture)
        if photo is None:
            print(f"{clip.name}: nobody found in frame {number}, which is left out", file=sys.stderr)
        else:
            found[number] = Photo.of(f"{clip.name}, frame {number}", *photo)
    return found


def photographs(with_sheet: bool, count: int) -> Iterator[tuple[int, list[Photo], list[tuple[Photo, Photo]]]]:
    """Clip by clip: its number, photos for the sheet, pairs. `examples/photo.jpg` comes first, as number -1."""
    if with_sheet:
        photo = open_image(PHOTO)
        yield -1, [Photo.of("examples/photo.jpg", photo, Pose.detect(photo))], []
    films, shares = ensure_films(), np.diff(np.linspace(0, count, len(CLIPS) + 1).astype(int)).tolist()
    for number, (clip, share) in enumerate(zip(CLIPS, shares, strict=True)):
        shown, pairs = clip.shown if with_sheet else (), clip.pairs(share) if share else []
        photos = photos_of(clip, films, [*shown, *(frame for pair in pairs for frame in pair)])
        both = [tuple(photos.get(frame) for frame in pair) for pair in pairs]
        yield number, [photos[frame] for frame in shown if frame in photos], [pair for pair in both if all(pair)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="folder of a model")
    parser.add_argument("--before", help="an earlier model's folder")
    parser.add_argument("--sheet", type=Path, help="WebP of photographs in three poses")
    parser.add_argument("--pairs", type=int, default=0, help="so many pairs over all films (default: none)")
    parser.add_argument("--docs", type=Path, help="file to put the figures into")
    options = parser.parse_args()
    started = time.perf_counter()
    folders = {"Before": options.before, "Model": options.model}
    pipes = {title: ScaGan.from_pretrained(folder) for title, folder in folders.items() if folder}
    figures = Figures(lpips()) if options.pairs else None
    blocks = []
    for number, shown, pairs in photographs(bool(options.sheet), options.pairs):
        for photo in shown:
            blocks.append(rows_of(pipes, photo))
            print(f"{time.perf_counter() - started:4.0f} s  sheet {len(blocks)}: {photo.name}", file=sys.stderr)
        for source, target in pairs:
            truth, pose = target.scene.fitted()
            figures.add(number, results(pipes, source, pose), truth, target.person, pose)
            print(f"{time.perf_counter() - started:4.0f} s  {source.name} -> {target.name}", file=sys.stderr)
    if options.sheet:
        titles = ["photo", "its own pose", *POSES]
        header = [gallery.pose(name).draw() for name in POSES.values()]
        options.sheet.write_bytes(webp(layout(blocks, header, titles)))
    if figures:
        text = comparison.measured(figures.table())
        print(text)
        if options.docs:
            put(options.docs, text, "photographs")


if __name__ == "__main__":
    main()
