"""Where a source shows its target: what a pair's reader makes of stored correspondences, plain and mirrored."""

import shutil

import numpy as np
import pytest
import torch
from conftest import HEIGHT, WIDTH, write_people
from PIL import Image
from released import rewrite

from scagan_hub.cli import main
from scagan_hub.data import Draw, PosePairs
from scagan_hub.data.images import BadImage
from scagan_hub.data.places import HIDDEN, NOWHERE, SHOWN, STEPS, UNKNOWN, nearest_of_class, places_between
from scagan_hub.data.verify import verify

SIZE = (HEIGHT, WIDTH)
SHIFT = np.array([[-2, 4], [2, -4]])  # from a view's pixels to the other's


def classes_of(view: int) -> np.ndarray:
    """Someone of a head, a top and, in view 0 alone, a leg; view 1 is view 0, two pixels left and four down."""
    classes = np.zeros(SIZE, np.uint8)
    classes[8:16, 18:26], classes[16:40, 14:30] = 1, 3
    classes = np.roll(classes, (4, -2) if view else (0, 0), (0, 1))
    if view == 0:
        classes[40:50, 16:20] = 7
    return classes


def arrays_of(hidden) -> dict[str, np.ndarray]:
    """Exact correspondences; `hidden` (x, y in the target) says what the other view does not show."""
    arrays = {}
    for target in range(2):
        classes = classes_of(target)
        wanted = np.isin(classes, (1, 2))
        wanted[::2, ::2] = True
        rows, columns = np.nonzero(wanted & (classes > 0))
        own = np.stack([columns, rows], 1)
        places = np.stack([own if source == target else own + SHIFT[target] for source in range(2)])
        shown = np.ones((2, len(own)), bool)
        shown[1 - target] = ~hidden(columns, rows) & (classes[rows, columns] != 7)
        arrays[f"pixels{target}"] = np.uint16(rows * WIDTH + columns)
        arrays[f"places{target}"] = np.int16(places * STEPS)
        arrays[f"shown{target}"] = np.packbits(shown, axis=1)
    return arrays


@pytest.fixture
def rendered(tmp_path):
    return write_rendered(tmp_path / "rendered")


def write_rendered(folder):
    """`people` with parsing maps and correspondences, as `scagan people --correspondences` has them."""
    write_people(folder)
    for split in ("train", "test"):
        for kind in ("parsing", "correspondences"):
            (folder / f"{split}_{kind}").mkdir()
        for person in range(2):
            np.savez(folder / f"{split}_correspondences" / f"{split}_{person}.npz", **arrays_of(lambda x, y: y >= 30))
            for view in range(2):
                classes = Image.fromarray(classes_of(view), "P")
                classes.putpalette(range(24))
                classes.save(folder / f"{split}_parsing" / f"{split}_{person}_{view}.png")
    return folder


def test_a_pair_says_what_is_shown_hidden_and_nowhere(rendered):
    item = PosePairs(rendered, "train", SIZE, places=True)[1]  # source 1, target 0
    places, state, classes = item["places"].numpy(), item["state"].numpy(), item["target_parsing"].numpy()
    assert places.shape == (2, *SIZE) and places.dtype == np.float32 and state.dtype == np.uint8
    assert np.array_equal(item["source_parsing"], classes_of(1)) and np.array_equal(classes, classes_of(0))
    known = (classes > 0) & ((classes == 1) | (np.indices(SIZE) % 2 == 0).all(0))
    assert np.array_equal(state != UNKNOWN, known)
    rows, columns = np.indices(SIZE)
    assert (state[known & (rows < 30)] == SHOWN).all()
    assert (state[known & (rows >= 30) & (classes == 3)] == HIDDEN).all()  # behind cloth of the same class
    assert (state[known & (classes == 7)] == NOWHERE).all()  # the source shows no leg
    exact = np.stack([columns - 2, rows + 4])
    assert np.array_equal(places[:, state >= HIDDEN], exact[:, state >= HIDDEN])
    assert not places[:, state < HIDDEN].any()


def test_what_something_else_hides_is_copied_from_the_nearest_of_its_class(rendered):
    path = rendered / "train_correspondences" / "train_0.npz"
    arrays = dict(np.load(path))
    arrays["places0"][1, :, 1] += 20 * STEPS  # the hidden ones lie on nobody now, or outside
    arrays["shown0"][1] = 0
    np.savez(path, **arrays)
    item = PosePairs(rendered, "train", SIZE, places=True)[1]
    places, state, source = item["places"].numpy(), item["state"].numpy(), item["source_parsing"].numpy()
    for kind in (1, 3):
        of_kind = (item["target_parsing"].numpy() == kind) & (state != UNKNOWN)
        assert (state[of_kind] == HIDDEN).all()
        x, y = np.rint(places[:, of_kind]).astype(int)
        assert (source[y, x] == kind).all()


def test_the_nearest_of_a_class_is_nearly_the_nearest_there_is():
    random = np.random.default_rng(0)
    classes = np.kron(random.integers(0, 6, (8, 6)), np.ones((8, 8))).astype(np.uint8)
    classes[classes == 4] = 5
    points = random.uniform(-20, 80, (500, 2)).astype(np.float32)
    wanted = random.integers(1, 6, 500)
    found, there = nearest_of_class(points, wanted, classes)
    assert np.array_equal(there, wanted != 4)
    for point, kind, pixel in zip(points[there], wanted[there], found[there], strict=True):
        rows, columns = np.nonzero(classes[::3, ::3] == kind)
        best = np.linalg.norm(np.stack([columns, rows], 1) * 3 - point, axis=1).min()
        assert classes[int(pixel[1]), int(pixel[0])] == kind and np.linalg.norm(pixel - point) <= best + 3
    none, _ = nearest_of_class(points[:0], wanted[:0], classes)
    assert none.shape == (0, 2)


def test_mirrored_pairs_are_known_at_the_same_columns(rendered):
    data = PosePairs(rendered, "train", SIZE, places=True)
    plain, mirrored = data[1], data[1, True]
    places, state = mirrored["places"], mirrored["state"]
    assert torch.equal(mirrored["source_parsing"], plain["source_parsing"].flip(1))
    before = plain["state"].flip(1) != UNKNOWN
    assert torch.equal(state[before], plain["state"].flip(1)[before])
    person = mirrored["target_parsing"] > 0
    assert torch.equal(state[::2, ::2] != UNKNOWN, person[::2, ::2]) and not state[~person].any()
    rows, columns = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
    off = (places - torch.stack([columns + 2, rows + 4])).abs().amax(0)[state >= HIDDEN]
    assert off.max() <= 1 and (off == 0).float().mean() > 0.9
    assert not places[:, state < HIDDEN].any()


def test_neighbours_on_different_surfaces_are_not_averaged(tmp_path):
    """Known: columns 0 and 2 of a row, 12 pixels apart in the source; column 1 takes the left one's place."""
    arrays = {"pixels0": np.uint16([0, 2]), "places0": np.int16([[[4, 3], [16, 3]]]) * STEPS}
    np.savez(tmp_path / "a.npz", **arrays, shown0=np.packbits([[True, True]], axis=1))
    classes = np.zeros((8, 20), np.uint8)
    classes[0, :3] = 3
    places, state = places_between(tmp_path / "a.npz", 0, 0, classes, classes, mirrored=True)
    assert state[0, -4:].tolist() == [UNKNOWN, SHOWN, SHOWN, SHOWN]
    assert places[0, 0, -3:].tolist() == [3, 15, 15]
    odd, state = places_between(tmp_path / "a.npz", 0, 0, classes[:, :19], classes[:, :19], mirrored=True)
    assert state[0, -4:].tolist() == [UNKNOWN, SHOWN, UNKNOWN, SHOWN]  # with an odd width they are the same columns
    assert odd[0, 0, [16, 18]].tolist() == [2, 14]


def test_a_picture_as_its_own_source_shows_itself(rendered):
    item = PosePairs(rendered, "train", SIZE, places=True)[Draw(1, identity=True)]
    assert item["names"] == "train_0_0.png->train_0_0.png"
    assert torch.equal(item["source_image"], item["target_image"])
    assert torch.equal(item["source_pose"], item["target_pose"])
    state = item["state"]
    rows, columns = torch.nonzero(state, as_tuple=True)
    assert set(state.unique().tolist()) == {UNKNOWN, SHOWN}
    assert torch.equal(item["places"][:, rows, columns], torch.stack([columns, rows]).float())


def test_missing_correspondences_are_named_with_what_mends_them(rendered, people):
    (rendered / "train_correspondences" / "train_1.npz").unlink()
    with pytest.raises(ValueError, match=r"no file .*train_1.npz.*scagan people --output .* --corresp") as refusal:
        PosePairs(rendered, "train", SIZE, places=True)
    assert "\n" not in str(refusal.value)
    assert "state" not in PosePairs(rendered, "train", SIZE, parsing=True)[0]
    shutil.rmtree(rendered / "test_correspondences")
    with pytest.raises(ValueError, match=r"no file .*test_0.npz"):
        PosePairs(rendered, "test", SIZE, places=True)
    with pytest.raises(ValueError, match="no parsing map"):
        PosePairs(people, "test", SIZE, places=True)


def test_pairs_of_two_people_have_no_places(rendered):
    rewrite(rendered / "pairs-train.csv", "train_0_0.png,train_0_1.png", "train_0_0.png,train_1_1.png")
    with pytest.raises(ValueError, match="one person for places, got train_0_0.png and train_1_1.png"):
        PosePairs(rendered, "train", SIZE, places=True)


def change(**changed):
    return lambda path: np.savez(path, **{**np.load(path), **{k: f(np.load(path)[k]) for k, f in changed.items()}})


def without(name):
    return lambda path: np.savez(path, **{k: v for k, v in np.load(path).items() if k != name})


DAMAGE = [
    (lambda path: path.write_bytes(path.read_bytes()[:-900]), "cannot be read: File is not a zip file"),
    (lambda path: path.write_bytes(b""), "cannot be read"),
    (lambda path: np.savez(path, pixels0=np.array([{}], object)), None),
    (without("shown1"), "shown1"),
    (change(places1=lambda a: a[..., :1]), "expected places of shape"),
    (change(places1=np.float32), "of float32 for view 1"),
    (change(shown1=lambda a: a[:, 1:]), "expected shown of shape"),
    (change(pixels1=lambda a: a[:, None]), "expected pixels of shape"),
    (change(pixels1=lambda a: a + HEIGHT * WIDTH), "pixels1 ha"),
]


@pytest.mark.parametrize(("damage", "says"), DAMAGE)
def test_damaged_correspondences_are_named_in_one_line_by_reader_and_verify(rendered, damage, says):
    path = rendered / "train_correspondences" / "train_0.npz"
    damage(path)
    with pytest.raises(BadImage, match=f"train_0.npz: .*{says or ''}") as refusal:
        PosePairs(rendered, "train", SIZE, places=True)[0]
    assert "\n" not in str(refusal.value)
    (fault,) = verify(rendered).faults
    assert (fault.kind, fault.item) == ("unreadable", "train_correspondences/train_0.npz")
    assert (says or "no array") in fault.what and "\n" not in fault.what


def test_correspondences_of_other_pictures_are_refused(rendered):
    path = rendered / "train_correspondences" / "train_0.npz"
    change(pixels1=lambda a: a + np.uint16(9))(path)
    with pytest.raises(BadImage, match="not on the person of view 1's parsing map"):
        PosePairs(rendered, "train", SIZE, places=True)[0]


def test_verify_looks_at_correspondences_where_there_are_any(rendered, capsys):
    assert verify(rendered).faults == []
    folder = rendered / "train_correspondences"
    (folder / "train_1.npz").rename(folder / "train_7.npz")
    change(pixels0=lambda a: a[::-1])(rendered / "test_correspondences" / "test_0.npz")
    change(shown0=lambda a: a[:1], places0=lambda a: a[:1])(rendered / "test_correspondences" / "test_1.npz")
    assert main(["verify", str(rendered)]) == 1
    assert capsys.readouterr().out.splitlines()[:4] == [
        "train_correspondences/train_1.npz: missing: the person is paired, but without correspondences",
        "train_correspondences/train_7.npz: unpaired: no pair is of this person",
        "test_correspondences/test_0.npz: unreadable: pixels0 are not in rising order",
        "test_correspondences/test_1.npz: unreadable: expected places of shape "
        f"(2, {(size := np.load(folder / 'train_0.npz')['pixels0'].size)}, 2), got (1, {size}, 2) of int16 for view 0",
    ]


def test_loader_workers_say_it_in_one_line_too(rendered):
    (rendered / "train_correspondences" / "train_0.npz").write_bytes(b"nothing")
    loader = torch.utils.data.DataLoader(PosePairs(rendered, "train", SIZE, places=True), 2, num_workers=1)
    with pytest.raises(BadImage, match="train_0.npz: cannot be read") as refusal:
        next(iter(loader))
    assert "\n" not in str(refusal.value)
