"""The demo: choose a person, choose a pose, see the picture; and where the true one is known, hold them together.

`python app.py` opens it with the bundled weights, `python app.py --model FOLDER` with others. The page asks nothing of
other hosts. The endpoint `/generate` takes what the page takes; `generate` in `build_demo` documents it.
"""

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported

import gradio as gr
import numpy as np
import torch
from PIL import Image

from scagan_hub import DEMO_MODEL, Pose, ScaGan, evaluation, gallery
from scagan_hub.arguments import UNKNOWN_SIZE

PROTOCOL = "unpadded"
QUEUE = 16  # requests that may wait; the next one is asked to come back later
HOUR = 3600  # seconds: files older than that are deleted, uploaded pictures among them

INTRODUCTION = """
# One photo of a person, any pose
Choose a person and a pose: SCA-GAN predicts the edges of the person in that pose, then paints the picture.

The bundled weights were trained on 256 x 176 pictures of **rendered people**. The bundled people are rendered too, but
were kept out of training, so they show what the model can do; photographs of real people are far from what it has seen,
and come out worse. Use pictures of people only with their consent, and say that a picture is generated where you show
it.
"""
UNMEASURED = "No true picture of this person in this pose is known, so nothing is measured."

CSS = """
.gradio-container {max-width: 1200px !important; margin: 0 auto !important}
.choices .grid-wrap {height: auto !important; min-height: 0 !important; max-height: 332px; padding: 4px}
.choices .grid-container {grid-template: none; grid-template-columns: repeat(auto-fill, minmax(62px, 1fr));
    grid-auto-rows: auto; gap: 8px; padding: 0}
.choices .thumbnail-item {aspect-ratio: 11 / 16}
.choices .thumbnail-item.selected {outline: 3px solid var(--color-accent); outline-offset: -1px}
.choices .caption-label, .choices .icon-button-wrapper {display: none}
.shown {display: flex; flex-direction: column; padding: 6px !important}
.shown > label {position: static; align-self: flex-start; box-shadow: none; white-space: nowrap}
.shown .image-container {flex: 1; min-height: 0}
.shown .image-frame img {height: 100%; width: 100%; object-fit: contain}
.compared {display: block}
.compared:not(:has(img)) {display: none}
.compared > label {display: inline-flex}
.compared .image-container, .compared .slider-wrap, .compared .wrap, .compared .content {height: auto}
"""

LAUNCH = {
    "theme": gr.themes.Default(
        primary_hue="indigo", font=("system-ui", "sans-serif"), font_mono=("ui-monospace", "monospace")
    ),
    "css": CSS,
    "footer_links": ["api"],
    "run_history": False,
    "max_file_size": "20mb",
    "ssr_mode": False,
}


def build_demo(pipe: ScaGan) -> gr.Blocks:
    """The page and the endpoint `/generate` round one pipeline; `LAUNCH` has the options to launch it with.

    Args:
        pipe: on the device it shall run on. Figures are shown where its pictures have the bundled ones' size.
    """

    def generate(person=None, pose=None, photo=None, pose_photo=None, pose_json=None):
        """Draw a person in another pose.

        Args:
            person: name of a bundled person, "person01" to "person24".
            pose: name of a bundled pose, "person01-view1" to "person24-view6".
            photo: picture of one person, taken in place of the bundled person.
            pose_photo: picture of somebody in the target pose, taken in place of the bundled pose.
            pose_json: OpenPose JSON of the target pose, taken before either.

        Returns:
            The generated picture; its predicted edges; the target's skeleton; the picture and the true one where
            that is known, else nothing; a line that says how these two compare.
        """
        try:
            image, source_pose = _source(person, photo)
            target = _target(pose, pose_photo, pose_json)
            out = pipe(image, target, source_pose=source_pose, generator=torch.Generator().manual_seed(0))
        except (ValueError, ImportError) as error:  # ImportError: an extra is not installed
            raise gr.Error(_told(error, photo, pose_photo, pose_json), print_exception=False) from None
        bundled = not (photo or pose_photo or pose_json)
        truth = gallery.truth(person, pose) if bundled else None
        return out.images[0], out.edges[0], out.target_poses[0].draw(), *_compared(out.images[0], truth)

    options = {"analytics_enabled": False, "delete_cache": (HOUR, HOUR)}
    with gr.Blocks(title="One photo of a person, any pose", **options) as demo:
        gr.Markdown(INTRODUCTION)
        with gr.Row():
            with gr.Column(scale=5):
                inputs = _inputs()
            with gr.Column(scale=4):
                button = gr.Button("Generate", variant="primary", size="lg")
                outputs = _outputs()
        options = {"api_name": "generate", "concurrency_limit": 1, "show_progress_on": outputs[0]}
        button.click(generate, inputs, outputs, scroll_to_output=True, **options)
    return demo.queue(max_size=QUEUE)


# -- what a request means


def _source(person: str | None, photo: str | None) -> tuple[Image.Image | str, Pose | None]:
    """The source's picture, and its pose where that need not be detected."""
    if photo:
        return photo, None
    if not person:
        raise ValueError("no person: choose a bundled one, or give a photo")
    return gallery.person(person)


def _target(pose: str | None, photo: str | None, json: str | None) -> Pose:
    if json:
        return Pose.from_openpose(json, UNKNOWN_SIZE)
    if photo:
        return Pose.detect(photo)
    if not pose:
        raise ValueError("no target pose: choose a bundled one, or give a photo or an OpenPose JSON")
    return gallery.pose(pose)


def _compared(picture: Image.Image, truth: Image.Image | None) -> tuple[tuple | None, str]:
    """Picture and truth beside each other, and their figures, measured now."""
    if truth is None or truth.size != picture.size:
        return None, UNMEASURED
    pair = np.array([picture]), np.array([truth])
    ssim, l1, psnr = (float(metric(*pair, PROTOCOL)[0]) for metric in (evaluation.ssim, evaluation.l1, evaluation.psnr))
    figures = f"SSIM **{ssim:.3f}** · L1 **{l1:.3f}** · PSNR **{psnr:.1f} dB**"
    width, height = picture.size
    figures += f", measured on this picture and the true one (protocol `{PROTOCOL}`, {height} x {width})"
    return (picture, truth), figures


def _told(error: Exception, *uploads: str | None) -> str:
    """The error in one line, with the names of the uploaded files but not where the server keeps them."""
    text = " ".join(str(error).split())
    for upload in filter(None, uploads):
        text = text.replace(f"{Path(upload).parent}{os.sep}", "")
    return text


# -- the page


def _inputs() -> list[gr.components.Component]:
    """Person and pose, bundled or given; what is chosen last takes the place of what was chosen before."""
    person, pose = gallery.people()[0], gallery.truths(gallery.people()[0])[0]
    person_name, pose_name = gr.Textbox(person, label="Person", visible=False), gr.Textbox(pose, visible=False)
    gr.Markdown("### 1. The person")
    with gr.Tabs():
        with gr.Tab("Bundled people"):
            people = _gallery([(gallery.person(name)[0], name) for name in gallery.people()], 0)
        with gr.Tab("Your photo"):
            photo = _upload("Photo of one person, from head to feet")
    gr.Markdown("### 2. The pose")
    with gr.Tabs():
        with gr.Tab("Bundled"):
            whose = gr.Markdown(_whose(person))
            own = _gallery(_drawn(gallery.truths(person)), 0)
            gr.Markdown("More poses")
            others = _gallery(_drawn([f"{name}-view1" for name in gallery.people()]), None)
        with gr.Tab("Photo"):
            pose_photo = _upload("Photo of somebody in the pose")
        with gr.Tab("OpenPose JSON"):
            pose_json = gr.File(label="JSON of one person (COCO-18 or BODY_25)", file_types=[".json"], height=160)

    quiet = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    people.select(_choose_person, pose_name, [person_name, pose_name, whose, own, photo], **quiet)
    photo.input(_take_photo, photo, [person_name, people], **quiet)
    for chosen, other in ((own, others), (others, own)):
        chosen.select(_choose_pose, None, [pose_name, other, pose_photo, pose_json], **quiet)
    for given, other in ((pose_photo, pose_json), (pose_json, pose_photo)):
        event = given.input if given is pose_photo else given.upload
        event(_take_pose, given, [pose_name, own, others, other], **quiet)
    return [person_name, pose_name, photo, pose_photo, pose_json]


def _outputs() -> list[gr.components.Component]:
    options = {"format": "png", "interactive": False, "buttons": ["download", "fullscreen"], "elem_classes": "shown"}
    with gr.Row():
        picture = gr.Image(label="Result", height=374, min_width=220, **options)
        comparison = gr.ImageSlider(
            label="Result | true picture", min_width=220, **options | {"elem_classes": ["shown", "compared"]}
        )
    figures = gr.Markdown(label="Figures")
    with gr.Row():
        edges = gr.Image(label="Predicted edges", height=270, min_width=140, **options)
        skeleton = gr.Image(label="Target pose", height=270, min_width=140, **options)
    return [picture, edges, skeleton, comparison, figures]


def _upload(label: str) -> gr.Image:
    """A picture left as it was uploaded: the package opens it, and says what is wrong with it if need be."""
    image = gr.Image(label=label, type="filepath", height=300, buttons=[])
    image.preprocess = lambda payload: payload and payload.path
    return image


def _gallery(pictures: list[tuple[Image.Image, str]], selected: int | None) -> gr.Gallery:
    """Pictures to choose from, by their names."""
    options = {"allow_preview": False, "interactive": False, "buttons": [], "elem_classes": "choices"}
    return gr.Gallery(pictures, selected_index=selected, show_label=False, columns=6, **options)


def _drawn(poses: list[str]) -> list[tuple[Image.Image, str]]:
    return [(gallery.pose(name).draw(), name) for name in poses]


def _whose(person: str) -> str:
    return f"Poses of {person} (true pictures known)"


def _choose_person(pose: str, event: gr.SelectData):
    """The person, and their own poses; one of the former person's own poses becomes this person's of that number."""
    person = event.value["caption"]
    own = gallery.truths(person)
    view = pose.partition("-")[2]
    if f"{person}-{view}" in own:
        pose = f"{person}-{view}"
    selected = own.index(pose) if pose in own else None
    return person, pose, _whose(person), gr.Gallery(_drawn(own), selected_index=selected), None


def _choose_pose(event: gr.SelectData):
    return event.value["caption"], gr.Gallery(selected_index=None), None, None


def _take_photo(photo: str | None):
    return ("", gr.Gallery(selected_index=None)) if photo else (gr.skip(), gr.skip())


def _take_pose(given: str | None):
    none = gr.Gallery(selected_index=None)
    return ("", none, none, None) if given else [gr.skip()] * 4


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="The demo of SCA-GAN.")
    parser.add_argument("--model", default=DEMO_MODEL, help="folder or Hub id (default: the bundled weights)")
    args = parser.parse_args(argv)
    try:
        pipe = ScaGan.from_pretrained(args.model)
    except ValueError as error:
        print(f"app.py: error: {error}", file=sys.stderr)
        return 1
    build_demo(pipe.to("cuda" if torch.cuda.is_available() else "cpu")).launch(**LAUNCH)
    return 0


if __name__ == "__main__":
    sys.exit(main())
