"""Pictures in a row, lines of advice, links that save: plain HTML that needs no file on the server."""

import base64
import html
import json
from collections.abc import Iterable

from PIL import Image

from .skeleton import data_url


def figure(picture: Image.Image, caption: str, text: str = "", kind: str = "") -> str:
    """A picture and its caption; `text`, which is HTML, goes below it."""
    caption = html.escape(caption)
    image = f'<img src="{data_url(picture, quality=90)}" alt="{caption}">'
    return f'<figure class="{kind}">{image}<figcaption>{caption}{text}</figcaption></figure>'


def strip(figures: Iterable[str], kind: str) -> str:
    return f'<div class="strip {kind}">{"".join(figures)}</div>'


def notes(lines: Iterable[str]) -> str:
    """Lines of advice; nothing where there are none."""
    items = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
    return f'<ul class="notes" role="status">{items}</ul>' if items else ""


def link(name: str, label: str, content: bytes, kind: str) -> str:
    """A link that saves `content`, of this media type, under a name."""
    url = f"data:{kind};base64,{base64.b64encode(content).decode()}"
    return f'<a download="{html.escape(name)}" href="{url}">{html.escape(label)}</a>'


def json_link(name: str, label: str, values: dict) -> str:
    return link(name, label, (json.dumps(values, indent=2) + "\n").encode(), "application/json")


def film(content: Image.Image | bytes | None, suffix: str = "") -> str:
    """A film in the format of this suffix with a link that saves it; while it is made, its latest picture."""
    if not isinstance(content, bytes):
        return f'<img src="{data_url(content, quality=90)}" alt="The latest picture">' if content else "<div></div>"
    kind = {".mp4": "video/mp4", ".webp": "image/webp"}[suffix]
    url = f"data:{kind};base64,{base64.b64encode(content).decode()}"
    shown = f'<img src="{url}" alt="The film">'
    if kind == "video/mp4":
        shown = f'<video src="{url}" aria-label="The film" autoplay loop muted playsinline controls></video>'
    return f'{shown}<p class="downloads">Save: {link("film" + suffix, "Film", content, kind)}</p>'
