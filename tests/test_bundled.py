"""The weights in the package: that they load, draw people, and that what is said of them is what was measured."""

import json
from pathlib import Path

import numpy as np
import pytest

from scagan_hub import DEMO_MODEL, Pose, ScaGan
from scagan_hub.evaluation import compare, evaluate
from scagan_hub.evaluation.held_out import choose
from scagan_hub.evaluation.methods import Aligned, Copy, Model, open_pairs, source_of
from scagan_hub.hub import card

ROOT = Path(__file__).parents[1]
ASSETS = Path(DEMO_MODEL).parent
MODEL, WARP, COPY = Model.title, Aligned.title, Copy.title


@pytest.fixture(scope="module")
def pipe() -> ScaGan:
    return ScaGan.from_pretrained(DEMO_MODEL)


@pytest.fixture(scope="module")
def figures() -> dict:
    return json.loads((Path(DEMO_MODEL) / "report.json").read_text())["figures"][0]


def test_the_card_and_the_readme_say_what_the_report_says(pipe, figures):
    configs = {part: dict(getattr(pipe, part).config) for part in pipe.COMPONENTS}
    written = (Path(DEMO_MODEL) / "README.md").read_text(encoding="utf-8")
    assert written == card.render(configs, pipe.report)
    assert card.table(figures) in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_report_shows_a_model_that_beats_copying_and_the_warp(figures):
    rows = figures["rows"]
    for floor in (WARP, COPY):
        assert rows[MODEL]["SSIM"] > rows[floor]["SSIM"] and rows[MODEL]["L1"] < rows[floor]["L1"]


def test_the_weights_do_on_bundled_pairs_what_the_report_says_of_all(pipe, figures):
    data = open_pairs(ASSETS / "gallery")
    sources = (
        source_of(method, data, "bundled people", choose(data, 24)) for method in (Copy(), Aligned(), Model(pipe))
    )
    rows = compare([evaluate(source) for source in sources])["rows"]
    assert rows[MODEL]["L1"] < rows[WARP]["L1"] < rows[COPY]["L1"]
    assert rows[MODEL]["SSIM"] == pytest.approx(figures["rows"][MODEL]["SSIM"], abs=0.05)


def test_a_photograph_becomes_a_picture_in_a_bundled_pose(pipe):
    out = pipe(ROOT / "examples" / "photo.jpg", Pose.detect(ROOT / "examples" / "photo.jpg").mirror())
    picture = np.asarray(out.images[0])
    assert picture.shape == (256, 176, 3) and picture.std() > 10


def test_all_bundled_weights_fit_in_40_megabytes():
    weights = [path for path in ASSETS.rglob("*") if path.suffix in (".safetensors", ".tflite")]
    assert len(weights) == 4 and sum(path.stat().st_size for path in weights) <= 40e6
