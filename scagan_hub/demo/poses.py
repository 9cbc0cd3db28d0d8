"""Choosing a target pose: a bundled one, from a photo, or an OpenPose JSON. What is chosen last counts."""

from typing import NamedTuple

import gradio as gr
from gradio.events import Dependency
from PIL import Image

from .. import gallery
from ..photos.decoder import decoders
from ..poses.openpose import UNKNOWN_SIZE
from .people import QUIET, People, Photo, choices, choose_photo
from .server import DETECTOR, polite


class Poses(NamedTuple):
    """The pose's name, or the photo or JSON taken in its place; `changed` are the events after which to draw it anew,
    `followed` those by which another person came."""

    name: gr.Textbox
    photo: Photo
    json: gr.File
    changed: list[Dependency]
    followed: list[Dependency]


def choose_pose(people: People) -> Poses:
    person = gallery.people()[0]
    name = gr.Textbox(gallery.truths(person)[0], label="Pose", visible=False)
    with gr.Tabs():
        with gr.Tab("Bundled"):
            whose = gr.Markdown(_whose(person), elem_classes="quiet")
            own = choices(drawn(gallery.truths(person)), 0, "in-row")
            gr.Markdown("More poses", elem_classes="quiet")
            others = choices(drawn([f"{name}-view1" for name in gallery.people()]), None)
        with gr.Tab("Photo"):
            photo = choose_photo("Photo of somebody in the pose")
        with gr.Tab("JSON"):
            json = gr.File(label="OpenPose JSON of one person (COCO-18 or BODY_25)", file_types=[".json"], height=160)

    followed = [event.then(_follow, [people.name, name], [name, whose, own], **QUIET) for event in people.changed]
    changed = []
    for chosen, other in ((own, others), (others, own)):
        changed.append(chosen.select(_choose, None, [name, other, photo.file, photo.crowd, json], **QUIET))
    read = json.upload(_read, json, None, show_progress="hidden", **DETECTOR)
    changed.append(photo.given.success(_take, photo.file, [name, own, others, json], **QUIET))
    changed.append(photo.chosen)
    changed.append(read.success(_take, json, [name, own, others, photo.file], **QUIET))
    changed.extend(photo.without(_restore, [people.name, name], [name, own]))
    for event in (json.clear, read.failure):
        changed.append(
            event(lambda *values: (None, *_restore(*values)), [people.name, name], [json, name, own], **QUIET)
        )
    return Poses(name, photo, json, changed, followed)


def drawn(names: list[str]) -> list[tuple[Image.Image, str]]:
    """Skeletons of bundled poses, to choose from."""
    return [(gallery.pose(name).draw(), name) for name in names]


def _whose(person: str) -> str:
    return f"Poses of {person}, whose true pictures are known"


def _follow(person: str, pose: str):
    """The person's own poses; one of the former person's own becomes this person's of that number."""
    if not person:
        return gr.skip(), "Poses", gr.Gallery(selected_index=None)
    own = gallery.truths(person)
    view = pose.partition("-")[2]
    if f"{person}-{view}" in own:
        pose = f"{person}-{view}"
    selected = own.index(pose) if pose in own else None
    return pose, _whose(person), gr.Gallery(drawn(own), selected_index=selected)


def _choose(event: gr.SelectData):
    return event.value["caption"], gr.Gallery(selected_index=None), None, gr.Gallery(visible=False), None


def _take(file: str | None):
    """The upload, in place of what was chosen; nothing changes where it is the event of one taken away."""
    if not file:
        return [gr.skip()] * 4
    return "", gr.Gallery(selected_index=None), gr.Gallery(selected_index=None), None


def _read(file: str | None):
    with polite(file):
        decoders().poses(file, UNKNOWN_SIZE)


def _restore(person: str, pose: str):
    """A bundled pose, where that of an upload is gone."""
    own = gallery.truths(person or gallery.people()[0])
    pose = pose or own[0]
    return pose, gr.Gallery(selected_index=own.index(pose) if person and pose in own else None)
