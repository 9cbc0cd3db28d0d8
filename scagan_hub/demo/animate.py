"""The tab that moves a person: a bundled movement, key poses made with the skeleton, or a JSON, as a film."""

import time
from collections.abc import Iterator
from typing import NamedTuple

import gradio as gr
import torch

from ..images.video import write_animation
from ..photos.decoder import decoders
from ..poses import motion
from ..poses.pose import Pose
from .drawing import picture_of
from .models import Models
from .people import QUIET, People
from .requests import MAX_SEED, read_source, whole
from .server import on_gpu, passing_file, polite
from .skeleton import laid_over, skeleton_editor
from .strips import figure, film, strip
from .transfer import Settings

MOVEMENTS = {"Walk": "walk", "Turn": "turn", "Wave": "wave"}
KEYS, FILE = "Key poses", "JSON file"
MAX_FRAMES, MAX_KEYS = 96, 12
MAX_SECONDS = 60  # after which a film ends with the pictures that it has
FILMS = {"concurrency_id": "films", "concurrency_limit": 1, "api_visibility": "private"}
KEY_POSES = {"concurrency_id": "keys", "concurrency_limit": 1, "api_visibility": "private"}


class Choice(NamedTuple):
    """What to film, in the order of `_film`."""

    movement: gr.Radio
    keys: gr.State
    file: gr.File
    frames: gr.Slider
    fps: gr.Slider
    format: gr.Radio


class Keys(NamedTuple):
    """The key poses: where they are made, kept (`Pose`s, a visitor's own) and shown."""

    group: gr.Column
    editor: gr.HTML
    add: gr.Button
    clear: gr.Button
    poses: gr.State
    shown: gr.HTML


def animate_tab(tab: gr.Tab, models: Models, people: People, settings: Settings):
    """The tab's components and events."""
    with gr.Row():
        with gr.Column(scale=5, min_width=300):
            movement = gr.Radio([*MOVEMENTS, KEYS, FILE], value="Walk", label="Movement")
            keys = _key_poses()
            file = gr.File(label="JSON list of poses", file_types=[".json"], height=140, visible=False)
            with gr.Row():
                frames = gr.Slider(2, MAX_FRAMES, 24, step=1, label="Pictures")
                fps = gr.Slider(2, 24, 12, step=1, label="A second")
                format_ = gr.Radio(["MP4", "WebP"], value="MP4", label="Format")
            with gr.Row():
                start = gr.Button("Animate", variant="primary")
                stop = gr.Button("Cancel")
        with gr.Column(scale=4, min_width=280):
            shown = gr.HTML(film(None), elem_classes="film")
            progress = gr.Markdown(elem_classes="quiet")
    choice = Choice(movement, keys.poses, file, frames, fps, format_)
    _key_events(tab, models, people, choice, keys)

    @on_gpu
    def animate(person, photo, whose, seed, model, precision, *chosen):
        with polite(photo, chosen[2]):
            source = read_source(person, photo, whose)
            pipe = models.get(model, precision)
            yield from _film(pipe, source, whole(seed, "seed", 0, MAX_SEED), *chosen)

    inputs = [people.name, people.photo.file, people.photo.whose, *settings, *choice]
    running = start.click(animate, inputs, [shown, progress], show_progress="hidden", **FILMS)
    stopped = stop.click(None, cancels=[running], **QUIET)
    stopped.then(lambda: "Cancelled.", None, progress, **QUIET)


def _key_poses() -> Keys:
    with gr.Column(visible=False) as group:
        editor = skeleton_editor()
        with gr.Row():
            add, clear = gr.Button("Add this pose", size="sm"), gr.Button("Start over", size="sm")
        shown = gr.HTML("<p>Pull the skeleton into a pose and add it; two make a movement.</p>")
    return Keys(group, editor, add, clear, gr.State([]), shown)


def _key_events(tab: gr.Tab, models: Models, people: People, choice: Choice, keys: Keys):
    @on_gpu
    def laid(person, photo, whose):
        with polite(photo):
            source = read_source(person, photo, whose)
            encoded = models.get().encode(source.image, source.pose)
        return laid_over(picture_of(encoded.image), encoded.poses[0])

    def lay(movement, *source):
        return laid(*source) if movement == KEYS else gr.skip()

    def keep(value, kept):
        with polite():
            if len(kept) == MAX_KEYS:
                raise ValueError(f"a movement has at most {MAX_KEYS} key poses; start over or animate these")
            pose = Pose.from_dict(value).resize(models.picture_size)  # whatever size it claims
        kept = [*kept, pose]
        return kept, strip([figure(key.draw(), f"{i}") for i, key in enumerate(kept, 1)], "keys")

    def offer(movement):
        return gr.Column(visible=movement == KEYS), gr.File(visible=movement == FILE)

    choice.movement.change(offer, choice.movement, [keys.group, choice.file], **QUIET)
    inputs = [choice.movement, people.name, people.photo.file, people.photo.whose]
    for event in (choice.movement.change, tab.select, *(event.success for event in people.changed)):
        event(lay, inputs, keys.editor, trigger_mode="always_last", **KEY_POSES)
    shown = {"api_visibility": "private", "show_progress": "hidden"}
    keys.add.click(keep, [keys.editor, keys.poses], [keys.poses, keys.shown], **shown)
    keys.clear.click(lambda: ([], ""), None, [keys.poses, keys.shown], **QUIET)


def _film(pipe, source, seed: int, movement, keys, file, frames, fps, format_) -> Iterator[tuple[str, str]]:
    """What is shown while the film is made, picture by picture, and the film."""
    poses, frames = _poses(movement, keys, file, whole(frames, "pictures", 2, MAX_FRAMES)), []
    encoded = pipe.encode(source.image, source.pose)
    started = time.perf_counter()
    for i, pose in enumerate(poses, 1):
        (picture,) = pipe(encoded, pose, generator=torch.Generator().manual_seed(seed)).images
        frames.append(picture)
        rate = i / (time.perf_counter() - started)
        yield film(picture), f"Picture {i} of {len(poses)}, {rate:.1f} a second"
        if time.perf_counter() - started > MAX_SECONDS:
            break
    suffix = f".{format_.lower()}"
    with passing_file(suffix) as path:
        write_animation(frames, path, fps)
        content = path.read_bytes()
    cut = f" A film ends after {MAX_SECONDS} s: {len(poses)} were asked for." if len(frames) < len(poses) else ""
    yield film(content, suffix), f"{len(frames)} pictures, {rate:.1f} a second on {pipe.device.type}.{cut}"


def _poses(movement: str, keys: list[Pose], file: str | None, frames: int) -> list[Pose]:
    if movement == KEYS:
        return motion.in_betweens(keys, frames)
    if movement != FILE:
        return motion.motion(MOVEMENTS.get(movement, movement), frames)
    if not file:
        raise ValueError("no movement: give a JSON file with a list of poses")
    return decoders().poses(file, most=MAX_FRAMES)
