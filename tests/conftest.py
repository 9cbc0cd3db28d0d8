"""Tiny real components, seeded: every part is the shipped one, only small and untrained."""

import importlib.util
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: tiny nets gain nothing by more threads

import numpy as np
import pytest
import torch
from PIL import Image

from scagan_hub import DEMO_MODEL, Pose, ScaGan
from scagan_hub.content import Content
from scagan_hub.domain import FILE, Domain
from scagan_hub.models import ISNet, PCTNet
from scagan_hub.models.mend_net import MendNet
from scagan_hub.models.place_net import PlaceNet

ROOT = Path(__file__).parent.parent

USERS = {name: os.environ.pop(name, None) for name in ("SCAGAN_CACHE", "SCAGAN_OFFLINE")}
# What a test finds depends on nothing that lies in the user's cache, and nothing is fetched.
os.environ |= {"SCAGAN_CACHE": str(Path(__file__).parent / "no-cache"), "SCAGAN_OFFLINE": "1"}

HEIGHT, WIDTH = 64, 44

# x, y of the 18 joints of someone who stands in the middle of a picture of 44 x 64.
STANDING = [(22, 10), (22, 16), (17, 16), (15, 24), (14, 31), (27, 16), (29, 24), (30, 31), (19, 32), (18, 44)]
STANDING += [(18, 56), (25, 32), (26, 44), (26, 56), (21, 9), (23, 9), (20, 10), (24, 10)]


def make_pipe(form: str = "aligned") -> ScaGan:
    """A pipeline of untrained weights: form "aligned" (our demo's), "paper", or "noise" (the release's)."""
    torch.manual_seed(0)
    size, aligned = (HEIGHT, WIDTH), form == "aligned"
    start = "noise" if form == "noise" else "pose"
    is_net = {"image_size": size, "width": 4, "modulation_width": 4, "start": start, "noise_size": 8}
    is_net |= {"aligned_channels": 4, "render": "blend", "patch_size": 2} if aligned else {}
    content = {"prior": "aligned", "alignment": "limbs"} if aligned else {}
    pct_net = PCTNet(width=4, prior_channels=1 if aligned else 18, residual_blocks=1)
    pipe = ScaGan(pct_net, ISNet(**is_net), Content(image_size=size, heatmap_sigma=2.0, prior_radius=4, **content))
    for net in (pipe.pct_net.eval(), pipe.is_net.eval()):
        for weight in (tensor for tensor in net.parameters() if tensor.ndim > 1):
            weight.data *= 1.7  # so that every input is seen in the output, which fresh weights hardly let through
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture(scope="session")
def tiny_pipe() -> ScaGan:
    """An untrained pipeline of the demo's form for pictures of 44 x 64. Shared: don't change its weights."""
    return make_pipe()


@pytest.fixture(scope="session")
def mend_pipe() -> ScaGan:
    """An untrained pipeline of learned places."""
    torch.manual_seed(0)
    nets = PlaceNet(width=16, head_width=16).eval(), MendNet(widths=(16, 16, 16, 16)).eval()
    pipe = ScaGan(*nets, Content())
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture(scope="session")
def tiny_folder(tiny_pipe, tmp_path_factory):
    """`tiny_pipe`, saved."""
    folder = tmp_path_factory.mktemp("model") / "tiny"
    tiny_pipe.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def users_cache():
    """The user's own cache, for what the real assets and weights are needed for; may be fetched into."""
    with pytest.MonkeyPatch.context() as patched:
        for name, value in USERS.items():
            patched.delenv(name) if value is None else patched.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def assets(users_cache):
    """What rendered people are made of."""
    from scagan_hub.people.assets import ensure_assets
    from scagan_hub.people.body import Assets

    try:
        return Assets(ensure_assets())
    except ValueError as error:
        pytest.skip(f"the rendered people's assets are not cached and cannot be fetched: {error}")


@pytest.fixture
def pose() -> Pose:
    return Pose([(x, y, 1) for x, y in STANDING], (WIDTH, HEIGHT))


@pytest.fixture
def other_pose(pose) -> Pose:
    """The same person with the arms up."""
    keypoints = pose.keypoints.copy()
    keypoints[[3, 4, 6, 7], 1] = [10, 4, 10, 4]
    return Pose(keypoints, pose.size)


@pytest.fixture
def picture() -> Image.Image:
    """Smooth noise of the nets' size."""
    noise = np.random.default_rng(0).integers(0, 256, (8, 6, 3), np.uint8)
    return Image.fromarray(noise).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)


@pytest.fixture
def people(tmp_path) -> Path:
    return write_people(tmp_path / "people")


def write_people(folder: Path) -> Path:
    """Two persons of two views a split: coloured rectangles with a skeleton's keypoints."""
    random = np.random.RandomState(0)
    for split in ("train", "test"):
        (folder / split).mkdir(parents=True)
        annotations, pairs = ["name:keypoints_y:keypoints_x"], ["from,to"]
        for person in range(2):
            names = [f"{split}_{person}_{view}.png" for view in range(2)]
            for name in names:
                picture = np.full((HEIGHT, WIDTH, 3), 230, np.uint8)
                picture[10:60, 15:30] = random.randint(0, 255, 3)
                Image.fromarray(picture).save(folder / split / name)
                y, x = random.randint(5, 60, 18), random.randint(5, 40, 18)
                annotations.append(f"{name}:{y.tolist()}:{x.tolist()}")
            pairs += [f"{names[0]},{names[1]}", f"{names[1]},{names[0]}"]
        (folder / f"annotation-{split}.csv").write_text("\n".join(annotations) + "\n")
        (folder / f"pairs-{split}.csv").write_text("\n".join(pairs) + "\n")
    return folder


@pytest.fixture(scope="session")
def app():
    """The module app.py."""
    spec = importlib.util.spec_from_file_location("app", ROOT / "app.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def pipes() -> dict[str, ScaGan]:
    """Two untrained pipelines of the demo's form and picture size, with the bundled weights' domain."""
    return {name: _demo_size(seed) for seed, name in enumerate(("first", "second"))}


def _demo_size(seed: int) -> ScaGan:
    torch.manual_seed(seed)
    is_net = {"width": 4, "modulation_width": 4, "start": "pose", "aligned_channels": 4, "render": "blend"}
    pct_net = PCTNet(width=4, prior_channels=1, residual_blocks=1)
    pipe = ScaGan(pct_net, ISNet(patch_size=2, **is_net), Content(prior="aligned", alignment="limbs"))
    pipe.domain = Domain.read(Path(DEMO_MODEL) / FILE)
    return pipe


@pytest.fixture(scope="session")
def demo(app, pipes):
    """The demo, served, of two models."""
    demo = app.build_demo(pipes["first"], {"second": pipes["second"]}, name="first")
    demo.launch(prevent_thread_lock=True, quiet=True, **app.LAUNCH)
    yield demo
    demo.close()
