"""The page: a person at the top, and below a tab for each thing to do with them."""

import threading
from collections.abc import Mapping
from pathlib import Path

import gradio as gr
from starlette.middleware import Middleware

from ..photos.decoder import decoders
from ..pipeline import ScaGan
from . import measures
from .animate import animate_tab
from .compare import compare_tab
from .figures import figures_tab
from .gate import UPLOAD, Gate
from .models import Models
from .people import QUIET, choose_person
from .served import Served
from .server import BLOCKS, QUEUE, SESSIONS
from .transfer import settings_of, transfer_events, transfer_tab

TITLE = "One photo of a person, any pose"
INTRODUCTION = f"""
# {TITLE}
Choose a person, then choose a pose or pull one with the mouse or a finger.
"""
ABOUT = """
The bundled weights were trained on 256 x 176 pictures of **rendered people**. The bundled people are rendered too, but
were kept out of training, so they show what the model can do. People in photographs are cut out of them first, and are
still far from what it has seen: they come out worse. Use pictures of people only with their consent, and say that a
picture is generated where you show it.
"""

LAUNCH = {
    "theme": gr.themes.Default(
        primary_hue="indigo",
        neutral_hue="slate",
        font=("system-ui", "sans-serif"),
        font_mono=("ui-monospace", "monospace"),
    ),
    "css": (Path(__file__).parent / "page.css").read_text(encoding="utf-8"),
    "footer_links": ["api"],
    "run_history": False,
    "max_file_size": UPLOAD,
    "state_session_capacity": SESSIONS,
    "app_kwargs": {"middleware": [Middleware(Gate)]},
    "ssr_mode": False,
}


def build_demo(pipe: ScaGan, others: Mapping[str, ScaGan] | None = None, name: str = "demo") -> gr.Blocks:
    """The page and its endpoints round one pipeline or several; `LAUNCH` has the options to launch it with.

    Args:
        pipe: on the device it shall run on. Figures are shown where its pictures have the bundled ones' size.
        others: further pipelines by name, to switch to and to compare.
        name: what visitors read for `pipe`.
    """
    models = Models({name: pipe, **(others or {})})
    measures.lpips()  # read now rather than in a visitor's request
    threading.Thread(target=decoders().warm, daemon=True).start()
    with Served(title=TITLE, **BLOCKS) as demo:
        gr.Markdown(INTRODUCTION)
        people = choose_person()
        opened = gr.State("Pose")
        with gr.Tabs() as tabs:
            with gr.Tab("Pose"):
                parts = transfer_tab(models, people)
                settings = settings_of(models)
            with gr.Tab("Compare") as tab:
                compare_tab(tab, opened, models, people)
            with gr.Tab("Animate") as tab:
                animate_tab(tab, models, people, settings)
            with gr.Tab("Figures"):
                figures_tab(models)
        gr.Markdown(ABOUT, elem_classes="quiet")
        tabs.select(_label, None, opened, **QUIET)
        transfer_events(demo, models, people, settings, parts)
    return demo.queue(max_size=QUEUE)


def _label(event: gr.SelectData) -> str:
    return event.value
