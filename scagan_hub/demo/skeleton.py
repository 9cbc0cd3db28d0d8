"""A skeleton laid over the source that people pull into a pose: by mouse, touch or keyboard (`skeleton.js`)."""

import base64
import io
import json
from pathlib import Path

import gradio as gr
from PIL import Image

from ..poses import skeleton
from ..poses.pose import Pose

FOLDER = Path(__file__).parent
TEMPLATE = """
<svg role="group" aria-label="Target pose: drag the joints, or focus one and use the arrow keys"></svg>
<div class="tools">
  <button type="button" data-action="mirror">Mirror</button>
  <button type="button" data-action="hide">Hide joint</button>
  <button type="button" data-action="reset">Reset</button>
  <span role="status" aria-live="polite"></span>
</div>
<div class="missing" role="group" aria-label="Joints that are not shown"></div>
"""
BODY = {
    "joints": [name.replace("_", " ") for name in skeleton.JOINTS],
    "limbs": skeleton.LIMBS,
    "mirrored": skeleton.MIRRORED,
    "hues": [20 * i for i in range(18)],
}


def skeleton_editor() -> gr.HTML:
    """A component whose value is what `laid_over` makes; `edited` reads what comes back.

    Its event `input` comes when a joint is let go.
    """
    script = (FOLDER / "skeleton.js").read_text(encoding="utf-8")
    editor = gr.HTML(
        label="Skeleton",
        html_template=TEMPLATE,
        css_template=(FOLDER / "skeleton.css").read_text(encoding="utf-8"),
        js_on_load=f"const BODY = {json.dumps(BODY)};\n{script}",
        apply_default_css=False,
    )
    editor.api_info = lambda: {"type": "object", "description": "a pose as Pose.to_dict gives it"}
    editor.example_payload = editor.example_value = lambda: None
    return editor


def laid_over(picture: Image.Image, pose: Pose) -> dict:
    """The editor's value: a pose in the pixels of the picture that it lies over."""
    keypoints = pose.keypoints.round(1).tolist()
    return {"size": pose.size, "keypoints": keypoints, "base": keypoints, "picture": data_url(picture)}


def edited(value: dict | None) -> Pose | None:
    """The pose that somebody has made; None where it is still the one that was laid there.

    Raises:
        ValueError: not such a value.
    """
    if not value:
        return None
    pose = Pose.from_dict(value)
    return None if value["keypoints"] == value.get("base") else pose


def data_url(picture: Image.Image, format: str = "WEBP", **options) -> str:
    """The picture in a URL, so that showing it needs no file on the server."""
    file = io.BytesIO()
    picture.save(file, format, **options)
    return f"data:image/{format.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"
