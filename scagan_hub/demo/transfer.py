"""The tab that poses a person: choose or pull a pose, see the picture and what the model saw on the way."""

import io
from typing import NamedTuple

import gradio as gr

from ..inputs import PLAIN
from .advice import advice
from .drawing import Drawn, draw
from .measures import sentence
from .models import PRECISIONS, Models
from .people import People
from .poses import Poses, choose_pose
from .requests import BACKDROPS, MAX_SEED, Request, Source, Target, truth, whole
from .server import NETS, number, on_gpu, polite
from .skeleton import edited, laid_over, skeleton_editor
from .strips import figure, json_link, link, notes, strip


class Settings(NamedTuple):
    seed: gr.Number
    model: gr.Dropdown
    precision: gr.Radio


class Shown(NamedTuple):
    """What a drawing fills, in the order of `_shown`."""

    picture: gr.Image
    figures: gr.Markdown
    notes: gr.HTML
    downloads: gr.HTML
    road: gr.HTML


def transfer_tab(models: Models, people: People) -> tuple[Poses, gr.HTML, Shown, gr.Button, gr.Radio]:
    """The tab's components; `transfer_events` brings them to life."""
    with gr.Row():
        with gr.Column(scale=5, min_width=300):
            gr.Markdown("### The pose")
            poses = choose_pose(people)
        with gr.Column(scale=4, min_width=260):
            gr.Markdown("### Pull the joints")
            editor = skeleton_editor()
            gr.Markdown("Arrow keys move the chosen joint, Delete hides it.", elem_classes="quiet")
        with gr.Column(scale=4, min_width=260):
            gr.Markdown("### The picture")
            options = {"format": "png", "interactive": False, "buttons": ["download", "fullscreen"]}
            picture = gr.Image(label="Result", elem_classes="shown", **options)
            backdrop = gr.Radio(list(BACKDROPS), value=next(iter(BACKDROPS)), label="Backdrop")
            figures = gr.Markdown(elem_classes="quiet")
            advised = gr.HTML()
            button = gr.Button("Generate", variant="primary")
            downloads = gr.HTML()
    road = gr.HTML()
    return poses, editor, Shown(picture, figures, advised, downloads, road), button, backdrop


def settings_of(models: Models) -> Settings:
    with gr.Accordion("Settings", open=False), gr.Row():
        return Settings(
            number(0, "Seed", info="For models that start from noise"),
            gr.Dropdown(models.names, value=models.names[0], label="Model"),
            gr.Radio(list(PRECISIONS), value="float32", label="Precision"),
        )


def transfer_events(demo: gr.Blocks, models: Models, people: People, settings: Settings, parts):
    """Draws on every choice, and lays the pose on the editor where it was not made there; the endpoint `/generate`."""
    poses, editor, shown, button, backdrop = parts
    chosen = [people.name, poses.name, people.photo.file, poses.photo.file, poses.json, editor]
    inputs = [*chosen, *settings, people.photo.whose, poses.photo.whose, backdrop]  # in the order of `Request`

    @on_gpu
    def redraw(*values):
        return _shown(models, *_drawn(models, Request(*values)))

    @on_gpu
    def lay(*values):
        request, source, target, drawn = _drawn(models, Request(*values)._replace(skeleton=None))
        return laid_over(drawn.source, drawn.pose), *_shown(models, request, source, target, drawn)

    @on_gpu
    def dress(*values):
        """Another person, in the pose that was pulled if one was."""
        pulled = edited(Request(*values).skeleton)
        laid, *outputs = lay(*values)
        if pulled is None:
            return laid, *outputs
        return laid | {"keypoints": pulled.keypoints.tolist()}, *redraw(*values)

    options = {"api_visibility": "private", "trigger_mode": "always_last", "show_progress_on": shown.picture}
    demo.load(lay, inputs, [editor, *shown], **options, **NETS)
    for events, work in ((poses.changed, lay), (poses.followed, dress)):
        for event in events:
            event.success(work, inputs, [editor, *shown], **options, **NETS)
    moved = [button.click, editor.input, *(setting.input for setting in (*settings, backdrop))]
    gr.on(moved, redraw, inputs, [*shown], **options, **NETS)
    _endpoint(models, inputs[:-1])


def _endpoint(models: Models, inputs: list):
    @on_gpu
    def generate(
        person=None,
        pose=None,
        photo=None,
        pose_photo=None,
        pose_json=None,
        skeleton=None,
        seed=0,
        model=None,
        precision="float32",
        whose=1,
        pose_whose=1,
    ):
        """Draw a person in another pose.

        Args:
            person: name of a bundled person, "person01" to "person24".
            pose: name of a bundled pose, "person01-view1" to "person24-view6".
            photo: picture of one person, taken in place of the bundled person.
            pose_photo: picture of somebody in the target pose, taken in place of the bundled pose.
            pose_json: OpenPose JSON of the target pose, taken before either.
            skeleton: the target pose as `Pose.to_dict` gives it, taken before all of these.
            seed: for models that start from noise.
            model: name of a model that this demo offers; its first where left out.
            precision: "float32" or "bfloat16".
            whose: which of several people in `photo`, from 1, the largest.
            pose_whose: likewise in `pose_photo`.

        Returns:
            The generated picture; its predicted edges; the target's skeleton; the picture and the true one where
            that is known, else nothing; a line that says how these two compare.
        """
        request = Request(
            person, pose, photo, pose_photo, pose_json, skeleton, seed, model, precision, whose, pose_whose
        )
        _, source, target, drawn = _drawn(models, request)
        true = truth(source, target)
        pair = (drawn.picture, true) if true else None
        return drawn.picture, drawn.edges, drawn.pose.draw(), pair, sentence(drawn.picture, true)

    options = {"format": "png", "visible": False}
    pictures = [gr.Image(label=label, **options) for label in ("Result", "Predicted edges", "Target pose")]
    outputs = [*pictures, gr.ImageSlider(label="Result | true picture", **options), gr.Markdown(visible=False)]
    gr.on([], generate, inputs, outputs, api_name="generate", **NETS)


def _drawn(models: Models, request: Request) -> tuple[Request, Source, Target, Drawn]:
    with polite(*request.files):
        source, target = request.source(), request.target()
        pipe = models.get(request.model, request.precision)
        seed = whole(request.seed, "seed", 0, MAX_SEED)
        return request, source, target, draw(pipe, source, target, seed, request.ground())


def _shown(models: Models, request: Request, source: Source, target: Target, drawn: Drawn) -> tuple:
    true = truth(source, target)
    compared = sentence(drawn.picture, true) if request.ground() == PLAIN else "Only plain pictures are measured."
    where = f"{drawn.seconds:.2f} s on {models.get().device.type}"
    return (
        drawn.picture,
        f"{compared} {where}.",
        notes(advice(models.get(request.model), source, target, drawn)),
        _downloads(models, request, drawn),
        _road(drawn),
    )


def _road(drawn: Drawn) -> str:
    steps = (
        (drawn.source, "The person"),
        (drawn.source_edges, "Their edges"),
        (drawn.pose.draw(), "The pose"),
        (drawn.prior, "Edges brought there"),
        (drawn.edges, "Edges predicted"),
        (drawn.picture, "The picture"),
    )
    return "<h3>The road</h3>" + strip([figure(*step) for step in steps], "road")


def _downloads(models: Models, request: Request, drawn: Drawn) -> str:
    file = io.BytesIO()
    drawn.picture.save(file, "PNG")
    settings = {
        "model": request.model or models.names[0],
        "precision": request.precision,
        "seed": request.seed,
        "backdrop": request.backdrop,
        "person": "photo" if request.photo else request.person,
        "pose": drawn.pose.to_dict(),
        "source_pose": drawn.source_pose.to_dict(),
    }
    links = (
        link("picture.png", "Picture", file.getvalue(), "image/png"),
        json_link("pose.json", "Pose", drawn.pose.to_dict()),
        json_link("settings.json", "Settings", settings),
    )
    return f'<p class="downloads">Save: {" · ".join(links)}</p>'
