"""Ways to a wrong number without a word: each is refused, or said beside the number."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scagan_hub.cli import main
from scagan_hub.evaluation import frechet_distance
from scagan_hub.evaluation.checks import bars, few_people
from scagan_hub.evaluation.comparison import compare, markdown
from scagan_hub.evaluation.measures import Moments, _distance
from scagan_hub.evaluation.methods import BASELINES, open_pairs, source_of
from scagan_hub.evaluation.report import read
from scagan_hub.evaluation.run import evaluate
from scagan_hub.evaluation.sources import PictureFolders, people_of
from scagan_hub.features.weights import NotAvailable

HEIGHT, WIDTH = 32, 22
FASHION = "fashionWOMENDressesid0000000{}01_{}"


@pytest.fixture(autouse=True)
def no_nets(monkeypatch):
    """None of them changes what is tested here."""

    def missing(*_):
        raise NotAvailable("needs something")

    monkeypatch.setattr("scagan_hub.evaluation.measures.LpipsDistance", missing)
    monkeypatch.setattr("scagan_hub.evaluation.measures.InceptionSets", missing)


def pictures(number: int, seed: int = 0, size=(HEIGHT, WIDTH)) -> np.ndarray:
    return np.random.RandomState(seed).randint(0, 240, (number, *size, 3)).astype(np.uint8)


def write(folder: Path, named: dict[str, np.ndarray]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, pixels in named.items():
        Image.fromarray(pixels).save(folder / name)
    return folder


def chain(tmp_path, number: int = 6) -> tuple[list[str], np.ndarray]:
    """A folder of references and pairs.csv, in which every picture is one pair's source and another's target."""
    truth = pictures(number)
    names = [f"{i:03d}.png" for i in range(number)]
    write(tmp_path / "truth", dict(zip(names, truth, strict=True)))
    with (tmp_path / "pairs.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("from", "to"), *zip(names, names[1:] + names[:1], strict=True)])
    return names, truth


def folders(tmp_path, **more) -> PictureFolders:
    return PictureFolders(tmp_path / "made", tmp_path / "truth", tmp_path / "pairs.csv", **more)


def test_perfect_pictures_named_by_their_targets_are_not_taken_for_their_sources(tmp_path):
    names, truth = chain(tmp_path)
    write(tmp_path / "made", dict(zip(names, truth, strict=True)))
    with pytest.raises(ValueError, match="two readings: .* by the source of their pair, or by its target"):
        folders(tmp_path)
    assert evaluate(folders(tmp_path, named_by="target"))["metrics"]["L1"]["value"] == 0
    assert evaluate(folders(tmp_path, named_by="source"))["metrics"]["L1"]["value"] > 0.1


def test_names_that_allow_one_reading_need_no_word(tmp_path):
    names, truth = chain(tmp_path)
    (tmp_path / "pairs.csv").write_text("from,to\n" + "".join(f"x{name},{name}\n" for name in names))
    write(tmp_path / "made", dict(zip(names, truth, strict=True)))
    report = evaluate(folders(tmp_path))
    assert report["metrics"]["L1"]["value"] == 0
    assert report["notes"] == ["pictures are named by the target of their pair"]


def test_one_picture_is_not_counted_for_several_pairs(tmp_path):
    names, truth = chain(tmp_path)
    (tmp_path / "pairs.csv").write_text("from,to\n000.png,001.png\n000.png,002.png\n")
    write(tmp_path / "made", {"000.png": truth[1]})
    with pytest.raises(ValueError, match="has no generated picture 000___001"):
        folders(tmp_path)
    with pytest.raises(ValueError, match="000 is the source of 2 pairs, which cannot all be named by it"):
        folders(tmp_path, named_by="source")
    write(tmp_path / "made", {"000___001.png": truth[1], "000___002.png": truth[2]})
    assert len(folders(tmp_path).files) == 2
    (tmp_path / "pairs.csv").write_text("from,to\n000.png,001.png\n000.png,002.png\n000.png,002.png\n")
    found = folders(tmp_path)
    assert len(found.files) == 2 and "1 lines of the pairs repeat others" in found.notes[0]


@pytest.mark.parametrize(
    "other", ["001_vis.png", "001.jpg.png", "fashion_001.png"], ids=["mosaic", "two suffixes", "no twin"]
)
def test_a_picture_beside_its_mosaic_is_not_a_second_one(tmp_path, other):
    names, truth = chain(tmp_path)
    made = dict(zip(names, truth, strict=True))
    del made["000.png"]  # so that the counts are equal
    write(tmp_path / "made", made | {other: truth[1]})
    with pytest.raises(ValueError, match="001.* are two pictures of one|have no reference of their name"):
        PictureFolders(tmp_path / "made", tmp_path / "truth")


def test_a_name_that_is_a_reference_and_a_pair_is_refused(tmp_path):
    truth = pictures(3)
    named = dict(zip(["a.png", "b.png", "a___b.png"], truth, strict=True))
    write(tmp_path / "truth", named)
    write(tmp_path / "made", named)
    with pytest.raises(ValueError, match="a___b.png allows two readings, .*of a___b or .*of the pair a, b"):
        PictureFolders(tmp_path / "made", tmp_path / "truth")


@pytest.mark.parametrize("table", [True, False], ids=["pairs", "no pairs"])
def test_a_report_on_some_of_the_pairs_says_so_first_or_is_refused(tmp_path, capsys, table):
    names, truth = chain(tmp_path, 60)
    made = {f"{i:03d}___{i + 1:03d}.png": truth[i + 1] for i in range(3)}
    write(tmp_path / "made", made)
    argv = ["evaluate", "--generated", str(tmp_path / "made"), "--reference", str(tmp_path / "truth")]
    argv += ["--output", str(tmp_path / "report.json")] + ["--pairs", str(tmp_path / "pairs.csv")] * table
    assert main(argv) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "3 of 60 pairs" in line and "--partial" in line and not (tmp_path / "report.json").exists()
    assert main([*argv, "--partial"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "# made: 3 of 60 pairs"
    assert (tmp_path / "report.md").read_text().startswith("# made: 3 of 60 pairs\n")
    assert "<h1>made: 3 of 60 pairs</h1>" in (tmp_path / "report.html").read_text()
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["pairs"], report["expected"]) == (3, 60)
    assert "3 of 60 pairs" in markdown(compare([read(tmp_path / "report.json")]))


def padded(number: int = 8, columns: int = 40, colour: int = 255, jpeg: bool = False) -> np.ndarray:
    found = np.pad(pictures(number, size=(256, 176)), ((0, 0), (0, 0), (columns,) * 2, (0, 0)), constant_values=colour)
    found[: number // 4, :, : columns + 20] = colour  # some people stand before a ground of that colour
    return found


@pytest.mark.parametrize("kind", ["png", "jpg"])
@pytest.mark.parametrize("protocol", ["unpadded", "scagan-2021"])
def test_padded_pictures_are_refused(tmp_path, kind, protocol):
    named = {f"{i}.{kind}": picture for i, picture in enumerate(padded())}
    for folder in ("made", "truth"):
        write(tmp_path / folder, named)
    with pytest.raises(ValueError, match="(outermost (3.|4.) columns at either side are white|pads the pictures)"):
        evaluate(PictureFolders(tmp_path / "made", tmp_path / "truth"), protocol)


def test_bars_are_told_from_plain_ground():
    assert bars(padded()) == ("white", 40, True)
    assert bars(padded(colour=0)) == ("black", 40, True)
    assert bars(pictures(8))[1] == 0 and bars(np.full((3, 32, 32, 3), 255, np.uint8))[1] == 0
    people = np.full((16, 64, 44, 3), 255, np.uint8)
    for i, picture in enumerate(people):  # people before white, who stand where they stand
        picture[10:60, 10 + i % 5 : 26 + i % 7] = 90
    colour, lines, common = bars(people)
    assert (colour, lines, common) == ("white", 10, False)


def test_much_white_ground_and_another_size_are_said(tmp_path):
    people = np.full((16, 64, 44, 3), 255, np.uint8)
    for i, picture in enumerate(people):
        picture[1:62, 10 + i % 5 : 26 + i % 7] = 90
    for folder in ("made", "truth"):
        write(tmp_path / folder, {f"{i}.png": picture for i, picture in enumerate(people)})
    notes = evaluate(PictureFolders(tmp_path / "made", tmp_path / "truth"), "scagan-2021")["notes"]
    assert any("plain ground raises SSIM" in note for note in notes)
    assert any("176 x 256" in note and "44 x 64" in note for note in notes)


@pytest.mark.parametrize("mode", ["I;16", "LA", "RGBA", "P", "1"])
def test_pictures_of_any_mode_are_what_they_show(tmp_path, mode):
    ramp = np.tile(np.linspace(0, 255, WIDTH).round().astype(np.uint8), (HEIGHT, 1))
    shown = {
        "I;16": lambda: Image.fromarray(ramp.astype(np.uint16) * 257),
        "LA": lambda: Image.merge("LA", (Image.fromarray(ramp), Image.fromarray(ramp))),
        "RGBA": lambda: Image.merge("RGBA", [Image.fromarray(ramp)] * 4),
        "P": lambda: Image.fromarray(ramp).convert("RGB").quantize(256),
        "1": lambda: Image.fromarray(ramp).convert("1"),
    }[mode]()
    (tmp_path / "made").mkdir()
    shown.save(tmp_path / "made" / "a.png")
    expected = ramp
    if mode in ("LA", "RGBA"):  # on white
        expected = (ramp.astype(float) ** 2 / 255 + 255 - ramp).round().astype(np.uint8)
    if mode == "1":
        expected = np.asarray(shown).astype(np.uint8) * 255
    write(tmp_path / "truth", {"a.png": np.repeat(expected[..., None], 3, 2)})
    assert evaluate(PictureFolders(tmp_path / "made", tmp_path / "truth"))["metrics"]["L1"]["value"] < 0.005


def test_intervals_of_few_people_say_how_often_they_hold():
    for people, share in ((2, "48%"), (5, "84%"), (30, "92%")):
        assert f"of {people} people" in few_people(people, True) and share in few_people(people, True)
    assert "one person" in few_people(1, True) and "not known" in few_people(300, False)
    assert few_people(50, True) is None


def test_pictures_are_not_called_people(tmp_path):
    names = [FASHION.format(person, view) + ".png" for person in (1, 2, 3) for view in ("1front", "2side")]
    for folder in ("made", "truth"):
        write(tmp_path / folder, dict(zip(names, pictures(6), strict=True)))
    report = evaluate(PictureFolders(tmp_path / "made", tmp_path / "truth"))
    assert report["bootstrap"]["drawn"] == "3 people" and "of 3 people" in report["metrics"]["L1"]["warning"]
    for folder in ("made", "truth"):
        for i, name in enumerate(names):
            (tmp_path / folder / name).rename(tmp_path / folder / f"{i}.png")
    report = evaluate(PictureFolders(tmp_path / "made", tmp_path / "truth"))
    assert report["bootstrap"]["drawn"] == "6 pictures, since who is in them is not known"
    assert "not known" in report["metrics"]["L1"]["warning"]


def test_pairs_of_one_person_are_one_persons_whether_linked_or_not():
    a, b = FASHION.format(1, "1front"), FASHION.format(1, "2side")
    c, d = FASHION.format(1, "3back"), FASHION.format(2, "1front")
    people, known = people_of([(a, b), (c, c), (d, d)])
    assert known and people[0] == people[1] != people[2]


def test_figures_of_sets_of_few_pictures_carry_their_warning():
    features = np.random.RandomState(0).randn(40, 4)
    moments = Moments(4)
    moments.update(features)
    figure = _distance("FID", moments, moments)
    assert figure["value"] == pytest.approx(frechet_distance(features, features), abs=1e-9)
    assert "FID of 40 pictures" in figure["warning"] and "2,048" in figure["warning"]
    moments.update(np.random.RandomState(1).randn(2100, 4))
    assert "warning" not in _distance("FID", moments, moments)


class Stopped(Exception):
    pass


@pytest.mark.parametrize("changed", ["test/test_0_1.png", "test_parsing/test_0_1.png", "annotation-test.csv"])
def test_an_evaluation_is_not_gone_on_with_over_other_data(people, tmp_path, changed):
    (people / "test_parsing").mkdir()
    for path in (people / "test").iterdir():
        Image.fromarray(np.full((64, 44), 3, np.uint8)).save(people / "test_parsing" / path.name)

    class Copied(BASELINES["copy"]):
        made, stop = 0, True

        def __call__(self, data, indices):
            if self.stop and self.made == 3:
                raise Stopped
            self.made += len(indices)
            return super().__call__(data, indices)

    method = Copied()

    def run():
        method.made = 0
        source = source_of(method, open_pairs(people), "people")
        return evaluate(source, batch_size=1, partial=tmp_path / "r.json", save_every=0)

    with pytest.raises(Stopped):
        run()
    path = people / changed
    stat = path.stat()
    if path.suffix == ".csv":
        path.write_text(path.read_text().replace(",", ", ", 1))
    else:
        Image.fromarray(
            255 - np.asarray(Image.open(path)) if "parsing" not in changed else np.eye(64, 44, dtype=np.uint8)
        ).save(path)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # as tools do that keep times
    method.stop = False
    report = run()
    assert method.made == 4 and report["metrics"]["L1"]["value"] == pytest.approx(
        evaluate(source_of(method, open_pairs(people), "people"))["metrics"]["L1"]["value"]
    )


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"no archive"])
def test_damaged_progress_is_measured_again(tmp_path, content):
    for folder in ("made", "truth"):
        write(tmp_path / folder, {"a.png": pictures(1)[0]})
    part = tmp_path / "r.json.part-1-of-1.npz"
    part.write_bytes(content)
    report = evaluate(PictureFolders(tmp_path / "made", tmp_path / "truth"), partial=tmp_path / "r.json")
    assert report["metrics"]["L1"]["value"] == 0 and not part.exists()


def test_masks_are_part_of_what_is_gone_on_with(tmp_path):
    for folder in ("made", "truth"):
        write(tmp_path / folder, {"a.png": pictures(1)[0]})
    write(tmp_path / "masks", {"a.png": np.ones((HEIGHT, WIDTH), np.uint8)})
    source = PictureFolders(tmp_path / "made", tmp_path / "truth", masks=tmp_path / "masks")
    before = list(source.identity)
    write(tmp_path / "masks", {"a.png": np.eye(HEIGHT, WIDTH, dtype=np.uint8)})
    assert list(source.identity) != before
