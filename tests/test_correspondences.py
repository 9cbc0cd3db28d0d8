"""Where one picture of a rendered person shows another's pixels: exact, the same both ways, written with the set."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("numba", reason="the extra `people` is not installed")

from scagan_hub.cli import main
from scagan_hub.data import Draw, PosePairs
from scagan_hub.data.verify import verify
from scagan_hub.people import dataset
from scagan_hub.people.correspondences import FAR, STEPS, correspondences
from scagan_hub.people.dataset import SPLITS, Arguments, covered_person, picture_of, write

SMALL = Arguments(identities=2, views=2, seed=5, height=96, width=66, correspondences=True)
VIEWS = 4


@pytest.fixture(scope="module")
def people(assets):
    """(pictures, arrays) of three people."""
    arguments = dataclasses.replace(SMALL, height=192, width=132)
    drawn = [covered_person(assets, arguments, "train", number)[0] for number in range(3)]
    pictures = [[picture_of(person, arguments, view)[0] for view in range(VIEWS)] for person in drawn]
    return [(own, correspondences(own)) for own in pictures]


def of_pair(arrays: dict, source: int, target: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    pixels = arrays[f"pixels{target}"].astype(int)
    shown = np.unpackbits(arrays[f"shown{target}"][source])[: len(pixels)].astype(bool)
    return pixels, arrays[f"places{target}"][source] / STEPS, shown


def test_every_second_pixel_of_the_person_is_known_and_all_of_the_head(people):
    for pictures, arrays in people:
        for view, picture in enumerate(pictures):
            known = np.zeros(picture.parsing.size, bool)
            pixels = arrays[f"pixels{view}"]
            assert pixels.dtype == np.uint16 and (np.diff(pixels.astype(int)) > 0).all()
            known[pixels] = True
            known, person = known.reshape(picture.parsing.shape), picture.parsing > 0
            assert np.array_equal(known[::2, ::2], person[::2, ::2]) and not known[~person].any()
            head = np.isin(picture.parsing, (1, 2))
            assert known[head].all() and not (known & ~head)[1::2].any() and not (known & ~head)[:, 1::2].any()


def test_a_picture_against_itself_gives_its_own_pixels(people):
    for pictures, arrays in people:
        for view, picture in enumerate(pictures):
            pixels, places, shown = of_pair(arrays, view, view)
            rows, columns = np.divmod(pixels, picture.parsing.shape[1])
            assert shown.mean() >= 0.99
            assert np.abs(places - np.stack([columns, rows], 1)).max() <= 1 / STEPS


def test_what_is_shown_is_of_the_same_class_and_leads_back(people):
    """A place that is shown lies within the picture and on the person; from the pixel there the way back is short."""
    same, back = [], []
    for pictures, arrays in people:
        height, width = pictures[0].parsing.shape
        for source in range(VIEWS):
            for target in set(range(VIEWS)) - {source}:
                pixels, places, shown = of_pair(arrays, source, target)
                column, row = np.rint(places[shown]).astype(int).clip(0, [width - 1, height - 1]).T
                assert np.abs(places[shown] - np.stack([column, row], 1)).max() <= 0.5 + 1 / STEPS
                classes = pictures[source].parsing[row, column]
                same.append(classes == pictures[target].parsing.reshape(-1)[pixels[shown]])

                there, their_places, their_shown = of_pair(arrays, target, source)
                way = np.full((height * width, 2), np.nan)
                way[there[their_shown]] = their_places[their_shown]
                way = way[row * width + column]
                own = np.stack([pixels[shown] % width, pixels[shown] // width], 1)
                back.append(np.linalg.norm(way - own, axis=1)[~np.isnan(way[:, 0])])
    same, back = np.concatenate(same), np.concatenate(back)
    assert len(same) > 10_000 and same.mean() >= 0.97
    assert len(back) > 4_000 and np.median(back) < 1
    assert (back < 2).mean() > 0.92 and (
        back < 4
    ).mean() > 0.98  # where seen at a slant, half a pixel there is more here


def test_what_is_behind_outside_or_only_touched_is_not_shown():
    """The source shows something 40 dm away in three pixels of its second row, and the target six points."""
    depth = np.full((4, 6), np.inf, np.float32)
    depth[1, :3] = 40
    points = np.float32(
        [[0.5, 1.5, 40], [2.5, 1.5, 41], [-3, 1.5, 40], [1.5, 9000, 40], [4.5, 1.5, 40], [5.99, 3.99, 40]]
    )
    corners = np.arange(6)[:, None].repeat(3, 1)
    nobody = {"triangle": np.full((4, 6), -1), "weights": np.zeros((4, 6, 2))}
    source = SimpleNamespace(surface=SimpleNamespace(depth=depth, points=points, corners=corners, **nobody))
    source.parsing = np.zeros((4, 6), np.uint8)
    target = SimpleNamespace(parsing=np.ones((1, 6), np.uint8))
    target.surface = SimpleNamespace(
        triangle=np.arange(6)[None], weights=np.zeros((1, 6, 2)), corners=corners, points=points, depth=np.ones((1, 6))
    )
    arrays = correspondences([target, source])
    pixels, places, shown = of_pair(arrays, 1, 0)
    assert pixels.tolist() == list(range(6))
    assert shown.tolist() == [True, False, False, False, False, False]  # behind, left of it, below, on nothing, corner
    assert places[0].tolist() == [0, 1] and places[2].tolist() == [-3.5, 1] and places[3].tolist() == [1, FAR]
    assert arrays["pixels1"].shape == (0,) and arrays["places1"].shape == (2, 0, 2) and arrays["shown1"].shape == (2, 0)


def test_large_pictures_have_large_pixel_numbers():
    size = (300, 300)
    surface = SimpleNamespace(
        triangle=np.zeros(size, int), weights=np.zeros((*size, 2)), corners=np.zeros((1, 3), int),
        points=np.float32([[5, 5, 40]]), depth=np.full(size, 40.0),
    )  # fmt: skip
    pixels = correspondences([SimpleNamespace(parsing=np.full(size, 3), surface=surface)])["pixels0"]
    assert pixels.dtype == np.uint32 and pixels[-1] == 298 * 300 + 298
    with pytest.raises(ValueError, match=f"at most {FAR} pixels a side"):
        Arguments(1, height=FAR + 1, correspondences=True)


def test_a_data_set_gets_them_on_any_number_of_workers_at_once_or_later(assets, tmp_path):
    without = dataclasses.replace(SMALL, correspondences=False)
    write(tmp_path / "at once", SMALL, workers=2)
    write(tmp_path / "later", without)
    assert not list((tmp_path / "later").glob("*_correspondences"))
    with pytest.raises(ValueError, match="no unfinished data set"):  # of another seed
        write(tmp_path / "later", dataclasses.replace(SMALL, seed=6))
    write(tmp_path / "later", SMALL)
    one, two = (
        {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}
        for root in (tmp_path / "at once", tmp_path / "later")
    )
    assert one == two
    for split in SPLITS:
        names = sorted(path.name for path in (tmp_path / "later" / f"{split}_correspondences").iterdir())
        assert names == [f"{split}_{number:06d}.npz" for number in range(SMALL.count(split))]
    assert verify(tmp_path / "later").faults == []
    for split in SPLITS:
        item = PosePairs(tmp_path / "later", split, places=True)[Draw(0, mirrored=True)]
        person = item["target_parsing"][::2, ::2] > 0
        assert (item["state"][::2, ::2][person] > 0).float().mean() > 0.95 and (item["state"] == 3).any()
    card = one["README.md"].decode()
    assert "--backdrop studio --correspondences\n" in card and "`pixels{t}`" in card and "$" not in card
    with pytest.raises(ValueError, match="no unfinished data set"):  # nothing is lacking
        write(tmp_path / "later", SMALL)
    lost = tmp_path / "later" / "test_correspondences" / "test_000000.npz"
    lost.unlink()
    write(tmp_path / "later", SMALL)
    assert lost.read_bytes() == one[f"{lost.parent.name}/{lost.name}"]


def test_a_run_stopped_within_a_person_goes_on(assets, tmp_path, monkeypatch):
    folder = tmp_path / "set"
    dataset._claim(folder, SMALL)
    monkeypatch.setattr(np, "savez", lambda path, **arrays: path.write_bytes(b"half") and 1 / 0)
    with pytest.raises(ZeroDivisionError):
        dataset._render_person((folder, SMALL, "train", 0))
    monkeypatch.undo()
    assert not list(folder.rglob("*.npz")) and not list((folder / dataset.RECORDS).glob("*.json"))
    command = ["people", "--output", str(folder), "--correspondences"]
    assert main([*command, "--identities", "2", "--views", "2", "--seed", "5", "--size", "96x66"]) == 0
    assert len(list(folder.rglob("*.npz"))) == 4


@pytest.mark.parametrize("manifest", ["[]", "no json", "{}", '{"version": 1, "arguments": 3}'])
def test_a_folder_of_something_else_is_refused(tmp_path, manifest):
    (tmp_path / "manifest.json").write_text(manifest)
    with pytest.raises(ValueError, match="no unfinished data set"):
        dataset._check_claim(tmp_path, SMALL)
