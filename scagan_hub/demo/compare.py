"""The tab that holds results against the truth: a slider, and every model and baseline on the same pair in a row."""

import gradio as gr
import torch
from PIL import Image

from .. import gallery
from ..poses.pose import Pose
from .drawing import picture_of
from .measures import BEST, PROTOCOL, measured, written
from .models import Models
from .people import QUIET, People, choices
from .poses import drawn
from .server import NETS, on_gpu, polite
from .strips import figure, strip

ONLY_BUNDLED = "True pictures are known for the bundled people only: choose one of them."


def compare_tab(tab: gr.Tab, opened: gr.State, models: Models, people: People):
    """The tab's components and events; `opened` has the label of the tab that a visitor sees."""
    with gr.Row():
        with gr.Column(scale=7, min_width=300):
            gr.Markdown("### A pose whose true picture is known")
            views = choices(drawn(gallery.truths(gallery.people()[0])), 0, "in-row")
            view = gr.Textbox(gallery.truths(gallery.people()[0])[0], visible=False)
            row = gr.HTML()
            told = gr.Markdown(elem_classes="quiet")
        with gr.Column(scale=4, min_width=260):
            gr.Markdown("### Result | truth")
            slider = gr.ImageSlider(
                label="Result | true picture", format="png", interactive=False, buttons=["fullscreen"],
                elem_classes=["shown", "compared"],
            )  # fmt: skip

    @on_gpu
    def compare(person, view):
        if not person:
            return None, ONLY_BUNDLED, ""
        with polite():
            return _compared(models, person, view)

    @on_gpu
    def compare_anew(label, person, view):
        return compare(person, view) if label == tab.label else (gr.skip(), gr.skip(), gr.skip())

    options = {"api_visibility": "private", "trigger_mode": "always_last", "show_progress_on": slider}
    outputs = [slider, told, row]
    for event in people.changed:
        followed = event.success(_follow, [people.name, view], [views, view], **QUIET)
        followed.success(compare_anew, [opened, people.name, view], outputs, **options, **NETS)
    chosen = views.select(_choose, None, view, **QUIET)
    for event in (tab.select, chosen.success):
        event(compare, [people.name, view], outputs, **options, **NETS)


def _choose(event: gr.SelectData) -> str:
    return event.value["caption"]


def _follow(person: str, view: str):
    if not person:
        return gr.Gallery([], selected_index=None), gr.skip()
    own = gallery.truths(person)
    same = f"{person}-{view.partition('-')[2]}"
    number = own.index(same) if same in own else 0
    return gr.Gallery(drawn(own), selected_index=number), own[number]


def _compared(models: Models, person: str, view: str):
    """Slider, line and row for a bundled person in one of their own poses."""
    image, source_pose = gallery.person(person)
    truth = gallery.truth(person, view)
    if truth is None or models.picture_size != truth.size:
        raise ValueError(f"no true picture of {str(person)[:40]!r} in {str(view)[:40]!r} is known at the models' size")
    pictures = _floors(models, image, source_pose, gallery.pose(view))
    for name in models.names:
        out = models.get(name)(image, gallery.pose(view), source_pose, generator=torch.Generator().manual_seed(0))
        pictures[f"Model {name}"] = out.images[0]
    figures = {name: measured(picture, truth) for name, picture in pictures.items()}
    best = {name: BEST[name](values[name] for values in figures.values()) for name in next(iter(figures.values()))}
    cards = [figure(picture, name, _listed(figures[name], best)) for name, picture in pictures.items()]
    width, height = truth.size
    told = f"★ best of the row. Protocol `{PROTOCOL}`, {height} x {width}, this one pair."
    result = pictures[f"Model {models.names[0]}"]
    return (result, truth), told, strip([*cards, figure(truth, "The true picture")], "cards")


@torch.inference_mode()
def _floors(models: Models, image: Image.Image, source_pose: Pose, pose: Pose) -> dict[str, Image.Image]:
    """What no model should be worse than: the source as it is, and the source warped limb by limb."""
    pipe = models.get()
    source = pipe.encode(image, source_pose)
    keypoints = [torch.tensor(p.keypoints, device=pipe.device)[None] for p in (source.poses[0], pose)]
    aligned = pipe.content.align(source.image, *keypoints)[:, :3]
    return {"Copy of the source": picture_of(source.image), "Aligned, nothing learned": picture_of(aligned)}


def _listed(figures: dict[str, float], best: dict[str, float]) -> str:
    lines = (
        f"<dt>{name}</dt><dd{' class=best' if value == best[name] else ''}>{written(name, value)}</dd>"
        for name, value in figures.items()
    )
    return f"<dl>{''.join(lines)}</dl>"
