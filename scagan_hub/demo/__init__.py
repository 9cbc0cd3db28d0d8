"""The demo: what `app.py` serves.

people.py, poses.py, skeleton.py    what visitors choose and pull
requests.py                         what a request means: a source and a target
drawing.py                          the road from these to a picture, with what was seen on the way
transfer.py, compare.py, animate.py, figures.py    a tab each
advice.py                           lines that help
gate.py, queueing.py, served.py, server.py         what a public server needs
models.py, page.py                  the models, and the page
command.py                          starts it
"""

from ..files.extras import need

need("gradio", "the demo")

from .page import LAUNCH, build_demo  # noqa: E402  (nothing of it can be imported without)

__all__ = ["LAUNCH", "build_demo"]
