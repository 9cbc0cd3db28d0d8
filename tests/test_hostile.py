"""A hundred hostile requests to the demo: each gets one friendly line or a picture, and the next honest one works."""

import io
import json
import re
import struct
import zlib
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from scagan_hub import gallery
from scagan_hub.demo import server

TIMEOUT = 60  # seconds
LEAKS = re.compile(r"/tmp|/root|/home|/usr|site-packages|gradio[/\\]|Traceback|\.py\b|File \"", re.IGNORECASE)


def encoded(format: str, size=(64, 96), **options) -> bytes:
    file = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (*size[::-1], 3), np.uint8)
    Image.fromarray(noise).save(file, format, **options)
    return file.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, data: bytes = b"", *extra: bytes) -> bytes:
    """A PNG of one bit a pixel that claims this size."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(extra) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def frames(format: str) -> bytes:
    pictures = [Image.new("RGB", (64, 96), (i, 0, 0)) for i in range(40)]
    file = io.BytesIO()
    pictures[0].save(file, format, save_all=True, append_images=pictures[1:], duration=10)
    return file.getvalue()


def float_tiff(value: float) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((64, 48), value, np.float32)).save(file, "TIFF")
    return file.getvalue()


def photos() -> dict[str, tuple[str, bytes]]:
    """File name and content by what is wrong with them."""
    whole = {format: encoded(format) for format in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP")}
    rows = zlib.compress(b"\0" * (2501 * 20_000), 9)
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"A" * 50_000_000, 9))
    cases = {
        f"{kind} cut at {share}": whole[kind][: int(len(whole[kind]) * share)]
        for kind in whole
        for share in (0.05, 0.6)
    }
    cases |= {f"{kind} with a flipped middle": data[:200] + bytes(200) + data[400:] for kind, data in whole.items()}
    cases |= {f"{length} random bytes": np.random.default_rng(length).bytes(length) for length in (1, 100, 100_000)}
    cases |= {
        "empty": b"",
        "20,000 x 20,000": png(20_000, 20_000, rows),
        "a header of 65,535 x 65,535": png(65_535, 65_535),
        "a header of 2 ** 31 - 1": png(2**31 - 1, 2**31 - 1),
        "no pixel": png(0, 0),
        "a bomb of text": png(64, 64, zlib.compress(b"\0" * 64 * 9), text),
        "one pixel": encoded("PNG", (1, 1)),
        "a line": encoded("PNG", (5000, 1)),
        "noise": encoded("PNG", (176, 256)),
        "animated GIF": frames("GIF"),
        "animated PNG": frames("PNG"),
        "animated WebP": frames("WEBP"),
        "a picture of NaN": float_tiff(np.nan),
        "a picture of infinity": float_tiff(np.inf),
        "HTML": b"<html><script>alert(1)</script></html>",
        "SVG": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><image href="file:///etc/passwd"/></svg>',
        "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n(%pipe%id) (w) file\nshowpage\n",
        "PDF": b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>",
        "ZIP": b"PK\x03\x04" + bytes(100),
        "pickle": b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R.",
        "16-bit size lie": whole["BMP"][:18] + struct.pack("<ii", -70_000, 70_000) + whole["BMP"][26:],
    }
    named = {what: ("photo.png", content) for what, content in cases.items()}
    for name in ("../../../etc/passwd.png", "..\\..\\boot.png", "a\nb.png", "<img src=x onerror=alert(1)>.png"):
        named[f"the name {name!r}"] = (name, b"no picture")
    named["a name of 250 letters"] = ("n" * 250 + ".png", b"no picture")
    named["a name of emoji"] = ("🕺💃.png", b"no picture")
    return named


def jsons() -> dict[str, bytes]:
    joint = [10.0, 10.0, 1.0]
    cases = {
        "empty": "",
        "a brace": "{",
        "null": "null",
        "true": "true",
        "a number": "1",
        "text": '"/etc/passwd"',
        "NaN": json.dumps({"keypoints": [[float("nan")] * 3] * 18, "size": [176, 256]}),
        "infinity": json.dumps({"keypoints": [[float("inf")] * 3] * 18, "size": [176, 256]}),
        "beyond any number": '{"keypoints": [' + ",".join(["[1e999, 0, 1]"] * 18) + '], "size": [176, 256]}',
        "a number of 5,000 digits": "[" + "9" * 5000 + "]",
        "far away": json.dumps({"keypoints": [[1e30, 1e30, 1]] * 18, "size": [176, 256]}),
        "deep": "[" * 100_000,
        "deep and closed": "[" * 50_000 + "]" * 50_000,
        "huge": json.dumps([joint] * 300_000),
        "beyond 10 MB": "[" + "0," * 6_000_000 + "0]",
        "17 joints": json.dumps([joint] * 17),
        "19 joints": json.dumps([joint] * 19),
        "ragged": json.dumps([joint] * 17 + [[1]]),
        "words": json.dumps([["a", "b", "c"]] * 18),
        "nobody": json.dumps({"people": []}),
        "people of the wrong kind": json.dumps({"people": {"a": 1}}),
        "people of None": json.dumps({"people": [None]}),
        "a person of words": json.dumps({"people": [{"pose_keypoints_2d": ["x"] * 54}]}),
        "all missing": json.dumps([[0, 0, 0]] * 18),
        "no size": json.dumps({"keypoints": [joint] * 18, "size": [0, 0]}),
        "a negative size": json.dumps({"keypoints": [joint] * 18, "size": [-5, 5]}),
        "a size beyond memory": json.dumps({"keypoints": [joint] * 18, "size": [10**9, 10**9]}),
        "a size of words": json.dumps({"keypoints": [joint] * 18, "size": ["a", "b"]}),
        "a canvas of None": json.dumps({"people": [], "canvas_width": None, "canvas_height": None}),
        "UTF-16": "{}".encode("utf-16"),
        "binary": bytes(range(256)),
    }
    return {what: text.encode() if isinstance(text, str) else text for what, text in cases.items()}


def plain() -> dict[str, dict]:
    """Arguments that are no file."""
    names = ("../../etc/passwd", "person01\0", "x" * 100_000, "'; DROP TABLE people; --", "<script>", "🕺")
    cases = {f"the person {name[:20]!r}": {"person": name} for name in names}
    cases |= {f"the pose {name[:20]!r}": {"pose": name} for name in names[:3]}
    cases |= {f"the person {value!r}": {"person": value} for value in (5, ["person01"], {"path": "/etc/passwd"})}
    cases |= {f"the seed {value!r}": {"seed": value} for value in (-1, 1e300, float("nan"), "x", 2**70)}
    cases |= {f"somebody {value!r}": {"whose": value} for value in (-1, 1e300, float("inf"), "x")}
    for what, value in (
        ("text", "x"),
        ("a list", [1]),
        ("nothing", {"a": 1}),
        ("NaN", {"keypoints": [[float("nan")] * 3] * 18, "size": [176, 256]}),
        ("outside", {"keypoints": [[-5, -5, 1]] * 18, "size": [176, 256]}),
        ("one point", {"keypoints": [[5, 5, 1]] * 18, "size": [176, 256]}),
        ("10,000 joints", {"keypoints": [[1, 1, 1]] * 10_000, "size": [176, 256]}),
        ("a base of words", {"keypoints": [[1, 1, 1]] * 18, "size": [176, 256], "base": "x", "picture": "x"}),
    ):
        cases[f"a skeleton of {what}"] = {"skeleton": value}
    return cases


PHOTOS, JSONS, PLAIN = photos(), jsons(), plain()
NAMES = ["person", "pose", "photo", "pose_photo", "pose_json", "skeleton", "seed", "model", "precision", "whose"]
HONEST = {"person": "person02", "pose": "person02-view3", "seed": 0, "precision": "float32", "whose": 1}


def test_there_are_a_hundred():
    assert len(PHOTOS) + len(JSONS) + len(PLAIN) >= 100


@pytest.fixture(scope="module")
def ask(demo):
    """Sends a request as any program can; returns the kind of the answer and its data."""
    with httpx.Client(base_url=f"{demo.local_url}gradio_api/", timeout=TIMEOUT) as client:

        def upload(name: str, content: bytes) -> dict:
            answer = client.post("upload", files={"files": (name, content)})
            return {"path": answer.json()[0], "meta": {"_type": "gradio.FileData"}, "orig_name": name}

        def ask(**arguments):
            files = {key: upload(*value) for key, value in arguments.items() if isinstance(value, tuple)}
            values = HONEST | {"model": "first"} | arguments | files
            data = json.dumps({"data": [values.get(name) for name in NAMES] + [1]})
            event = client.post("call/generate", content=data, headers={"Content-Type": "application/json"}).json()
            answer = client.get(f"call/generate/{event['event_id']}").text
            kind, data = re.match(r"event: (\w+)\ndata: (.*)", answer).groups()
            return kind, json.loads(data)

        yield ask


@pytest.fixture(scope="module")
def honest(ask):
    """Draws a picture for an honest visitor."""

    def honest() -> np.ndarray:
        kind, data = ask()
        assert kind == "complete"
        return np.array(Image.open(data[0]["path"]))

    return honest


def check(answer):
    kind, data = answer
    assert kind in ("complete", "error")
    if kind == "complete":
        assert Image.open(data[0]["path"]).size == gallery.SIZE
        return
    text = data if isinstance(data, str) else (data or {}).get("error")
    assert text, "no word was said"
    assert len(text.splitlines()) == 1 and len(text) < 600
    assert not LEAKS.search(text), text


@pytest.mark.parametrize("what", PHOTOS)
def test_photos(ask, what):
    check(ask(photo=PHOTOS[what]))


@pytest.mark.parametrize("what", JSONS)
def test_jsons(ask, what):
    check(ask(pose_json=("pose.json", JSONS[what])))


@pytest.mark.parametrize("what", PLAIN)
def test_plain_arguments(ask, what):
    check(ask(**PLAIN[what]))


def test_the_next_honest_request_works(ask, honest, pipes):
    image, source_pose = gallery.person("person02")
    expected = np.array(pipes["first"](image, gallery.pose("person02-view3"), source_pose).images[0])
    for request in ({"photo": PHOTOS["20,000 x 20,000"]}, {"pose_json": ("pose.json", JSONS["NaN"])}):
        check(ask(**request))
        np.testing.assert_array_equal(honest(), expected)


def test_an_upload_beyond_the_limit_is_refused(demo, honest):
    answer = httpx.post(
        f"{demo.local_url}gradio_api/upload", files={"files": ("big.png", bytes(21 * 1024**2))}, timeout=TIMEOUT
    )
    assert answer.status_code == 413 and not LEAKS.search(answer.text)
    honest()


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_beyond_the_limit_is_refused(demo, honest, chunked):
    body = b'{"data": ["' + b"x" * server.BODY + b'"]}'
    content = (body[i : i + 2**20] for i in range(0, len(body), 2**20)) if chunked else body
    url = f"{demo.local_url}gradio_api/call/generate"
    try:
        answer = httpx.post(url, content=content, headers={"Content-Type": "application/json"}, timeout=TIMEOUT)
    except httpx.TransportError:
        assert chunked  # the connection was closed while it came in
    else:
        assert answer.status_code in (400, 413) and not LEAKS.search(answer.text)
    honest()


def test_an_upload_cannot_leave_its_folder(demo):
    answer = httpx.post(
        f"{demo.local_url}gradio_api/upload", files={"files": ("../../../../tmp/stray_upload.png", b"x")}
    )
    assert not Path("/tmp/stray_upload.png").exists()
    assert ".." not in Path(answer.json()[0]).parts
