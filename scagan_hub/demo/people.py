"""Choosing a person: one of the bundled people, or somebody in a photo."""

from collections.abc import Callable
from typing import NamedTuple

import gradio as gr
from gradio.events import Dependency
from PIL import Image

from .. import gallery
from ..photos.crop import fit_photo
from ..photos.decoder import decoders
from .requests import NOBODY
from .server import DETECTOR, number, polite, upload

# An answer at once, beside the queue; such an event must not fail, or the browser's console says so.
QUIET = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
THUMBNAIL = (88, 128)


class Photo(NamedTuple):
    """An upload, the people in it where there are several, and which of them is meant, from 1."""

    file: gr.Image
    crowd: gr.Gallery
    whose: gr.Number
    given: Dependency
    chosen: Dependency

    def without(self, restore: Callable, inputs: list, outputs: list) -> list[Dependency]:
        """Where a photo is taken away again, or was a bad one, which goes too: `restore` fills the other outputs."""
        outputs = [self.file, self.crowd, *outputs]

        def gone(*values):
            return None, gr.Gallery(visible=False), *restore(*values)

        return [event(gone, inputs, outputs, **QUIET) for event in (self.file.clear, self.given.failure)]


class People(NamedTuple):
    """The person's name, or the photo taken in its place; `changed` are the events after which to draw anew."""

    name: gr.Textbox
    photo: Photo
    changed: list[Dependency]


def choose_person() -> People:
    names = gallery.people()
    name = gr.Textbox(names[0], label="Person", visible=False)
    bundled = choices([(gallery.person(person)[0], person) for person in names], 0, "in-row")
    with gr.Accordion("Use a photo of your own", open=False):
        photo = choose_photo("Photo of one person, from head to feet")

    def choose(event: gr.SelectData):
        return event.value["caption"], None, gr.Gallery(visible=False)

    def take(file):
        return ("", gr.Gallery(selected_index=None)) if file else (gr.skip(), gr.skip())

    def restore(person):
        person = person or names[0]
        return person, gr.Gallery(selected_index=names.index(person))

    chosen = bundled.select(choose, None, [name, photo.file, photo.crowd], **QUIET)
    taken = photo.given.success(take, photo.file, [name, bundled], **QUIET)
    gone = photo.without(restore, [name], [name, bundled])
    return People(name, photo, [chosen, taken, photo.chosen, *gone])


def choose_photo(label: str) -> Photo:
    """A photo, and where it shows several people the choice of one."""
    file = upload(label, height=300)
    crowd = choices([], 0, "crowd", label="Several people: choose one", visible=False)
    whose = number(1, "Which of the people in the photo, from 1", visible=False)
    given = file.input(_crowd, file, [crowd, whose], show_progress="hidden", **DETECTOR)
    chosen = crowd.select(_index, None, whose, **QUIET)
    return Photo(file, crowd, whose, given, chosen)


def choices(pictures: list[tuple[Image.Image, str]], selected: int | None, *classes: str, **options) -> gr.Gallery:
    """Pictures to choose from, by their names."""
    options = {"show_label": "label" in options, "elem_classes": ["choices", *classes]} | options
    return gr.Gallery(
        pictures, selected_index=selected, allow_preview=False, interactive=False, buttons=[], columns=6, **options
    )


def _crowd(photo: str | None):
    """The people in a photo to choose from, where there are several."""
    from ..poses.detect import detect_people

    if not photo:
        return gr.skip(), gr.skip()
    with polite(photo):
        image = decoders().picture(photo)
        people = detect_people(image)
        if not people:
            raise ValueError(NOBODY)
    crops = [(fit_photo(image, pose, THUMBNAIL)[0], f"somebody {i}") for i, pose in enumerate(people, 1)]
    return gr.Gallery(crops, selected_index=0, visible=len(crops) > 1), 1


def _index(event: gr.SelectData) -> int:
    return event.index + 1
