"""What strangers may send to the demo: what is open, and that no request ends, fills or holds it for others.

The list that is asked here is longer in `benchmarks/attacks.py`.
"""

import asyncio
import json
import socket
import threading
import time
from collections import Counter
from contextlib import suppress
from types import SimpleNamespace

import httpx
import pytest
from gradio.queueing import Event
from PIL import Image

from scagan_hub import gallery
from scagan_hub.demo import gate, queueing, served, server
from scagan_hub.demo.gate import Ledger, Refused, treated

TIMEOUT = 60  # seconds
HONEST = ["person02", "person02-view3", None, None, None, None, 0, None, "float32", 1, 1]


@pytest.fixture(scope="module")
def net(demo):
    with httpx.Client(base_url=demo.local_url, timeout=TIMEOUT) as client:
        yield client


def ask(net, data) -> str:
    """The answer to a request as a shell sends it; waits while the visitor's earlier requests take their share."""
    for _ in range(TIMEOUT):
        answer = net.post("gradio_api/call/generate", json={"data": data}).json()
        if "event_id" in answer:
            return net.get(f"gradio_api/call/generate/{answer['event_id']}").text
        time.sleep(1)
    raise AssertionError(f"still refused after {TIMEOUT} s: {answer}")


@pytest.fixture
def goes_on(net):
    """Afterwards an honest visitor gets a picture."""
    yield
    assert ask(net, HONEST).startswith("event: complete")


def number(demo, name: str) -> int:
    return next(i for i, fn in demo.fns.items() if fn.name == name)


# What is open

QUEUED = {  # what waits in the queue, and how many values it takes; only `generate` has a name outside
    "generate": ("nets", 11),
    "redraw": ("nets", 12),
    "lay": ("keys", 4),
    "dress": ("nets", 12),
    "compare": ("nets", 2),
    "compare_anew": ("nets", 3),
    "animate": ("films", 12),
    "keep": (None, 2),
    "_crowd": ("detector", 1),
    "_read": ("detector", 1),
}
AT_ONCE = {"choose", "take", "restore", "gone", "_index", "_choose", "_follow", "_take", "_label", "_restore", "offer"}


def test_all_that_can_be_called_is_known(demo):
    assert not demo.api_open  # so that what waits in the queue cannot be called past it
    public = [fn.api_name for fn in demo.fns.values() if fn.api_visibility != "private"]
    assert public == ["generate"]
    for fn in demo.fns.values():
        if fn.queue and fn.fn:
            assert fn.name in QUEUED
            kind, _ = QUEUED[fn.name]
            assert fn.name == "lay" or kind is None or fn.concurrency_id == kind
            assert fn.concurrency_limit == 1 or fn.name == "keep"
        elif fn.fn:
            assert fn.name in AT_ONCE or fn.name == "<lambda>"
    named = {fn.name: len(fn.inputs) for fn in demo.fns.values() if fn.queue and fn.fn and fn.name != "lay"}
    assert named == {name: count for name, (_, count) in QUEUED.items() if name != "lay"}


def test_all_routes_are_closed_but_those_that_are_known(demo):
    open_ = set()
    for route, methods in demo.app.openapi()["paths"].items():
        path = route.replace("{api_name}", "generate").replace("{event_id}", "0a").replace("{session_hash}", "a1")
        for method in methods:
            with suppress(Refused):
                open_.add((treated(method.upper(), path)[0], route))
    assert {path for kind, path in open_ if kind != "page"} == {
        "/gradio_api/upload",
        "/gradio_api/upload_progress",
        "/gradio_api/heartbeat/{session_hash}",
        "/gradio_api/queue/join",
        "/gradio_api/queue/data",
        "/gradio_api/cancel",
        "/gradio_api/reset",
        "/gradio_api/reset/",
        *(f"/gradio_api/{way}/{{api_name}}{end}" for way in ("call", "call/v2", "run", "api") for end in ("", "/")),
        "/gradio_api/call/{api_name}/{event_id}",
        "/gradio_api/call/v2/{api_name}/{event_id}",
    }


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/gradio_api/process_recording"),
        ("GET", "/gradio_api/deep_link"),
        ("GET", "/gradio_api/proxy=http://127.0.0.1/"),
        ("GET", "/gradio_api/file=http://127.0.0.1/"),
        ("POST", "/gradio_api/component_server"),
        ("POST", "/gradio_api/stream/x"),
        ("POST", "/gradio_api/vibe-edit"),
        ("GET", "/monitoring"),
        ("GET", "/monitoring/summary"),
        ("GET", "/gradio_api/dev/reload"),
        ("POST", "/login"),
        ("POST", "/gradio_api/call/redraw"),
    ],
)
def test_what_the_demo_does_not_use_is_closed(net, method, path):
    assert net.request(method, path).status_code == 404


def test_nothing_passes_the_queue_by(demo, net, goes_on):
    for path in ("run/generate", "api/generate"):
        assert net.post(f"gradio_api/{path}", json={"data": HONEST}).status_code == 404
    for name in QUEUED:
        body = {"data": [], "fn_index": number(demo, name), "session_hash": "abc"}
        assert net.post("gradio_api/run/predict", json=body).status_code == 404


# The queue


@pytest.mark.parametrize("session", ["", "x" * 65, "a b", "\n", 5])
def test_a_bad_session_hash_is_refused(demo, net, goes_on, session):
    for _ in range(3):
        body = {"data": HONEST, "fn_index": number(demo, "generate"), "session_hash": session}
        assert net.post("gradio_api/queue/join", json=body).status_code == 400


def test_an_event_of_an_unknown_session_is_dead_and_no_error(demo):
    event = SimpleNamespace(session_hash="nobody", alive=True, _id="1")
    demo._queue.send_message(event, None)
    assert not event.alive


def test_the_dispatcher_begins_anew_and_says_so(demo, net, caplog, monkeypatch):
    failed, get_events = [], type(demo._queue).get_events

    def once(queue):
        if not failed:
            failed.append(1)
            raise KeyError("a visitor's data")
        return get_events(queue)

    monkeypatch.setattr(type(demo._queue), "get_events", once)
    assert ask(net, HONEST).startswith("event: complete") and failed
    assert "begun anew after KeyError" in caplog.text and "visitor's" not in caplog.text


def test_work_without_a_listener_is_not_begun_and_is_dropped(demo, net, goes_on, monkeypatch):
    monkeypatch.setattr(queueing, "PATIENCE", 1)
    body = {"data": ["person01", None, 1, 0, None, "float32", "Walk", None, None, 96, 12, "MP4"]}
    body |= {"fn_index": number(demo, "animate")}
    answers = [net.post("gradio_api/queue/join", json=body | {"session_hash": f"h{i}"}) for i in range(8)]
    assert [answer.status_code for answer in answers].count(503) >= 8 - queueing.WAITING["films"]
    assert ask(net, HONEST).startswith("event: complete")
    deadline = time.monotonic() + 20
    while len(demo._queue) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not len(demo._queue) and not any(demo._queue.active_jobs)


def test_who_has_least_in_a_full_queue_gets_a_place(demo):
    queue = queueing.FairQueue(demo, 4)
    fn = demo.fns[number(demo, "generate")]
    queue.create_event_queue_for_fn(fn)
    line = queue.event_queue_per_concurrency_id["nets"].queue

    def wait(address: str, session: str):
        visitor = (address, (address, session))
        if queue._room(*visitor, "nets"):
            event = Event(session, fn, SimpleNamespace(client=SimpleNamespace(host=address, port=1)), None)
            queue.heard(session)
            line.append(event)
            return event
        return None

    greedy = [wait("1", "greedy") for _ in range(6)]
    assert greedy[4:] == [None, None] and len(line) == 4
    assert wait("1", "another")  # of the same address
    assert wait("2", "afar")
    assert Counter(event.session_hash for event in line) == {"greedy": 2, "another": 1, "afar": 1}
    assert wait("1", "greedy") is None
    queue._charge(line[0], 5.0)
    assert queue.get_events()[0][0].session_hash == "afar"  # least was done for it of late


def test_answers_that_nobody_fetches_are_forgotten(demo, monkeypatch):
    monkeypatch.setattr(queueing, "RESULTS", 10)
    queue = queueing.FairQueue(demo, 4)
    for i in range(3000):
        queue.pending_messages_per_session[f"s{i}"] = asyncio.Queue()
        queue.pending_event_ids_session[f"s{i}"] = {"1"}
    queue.heard("s0")
    asyncio.run(queue.look_after())
    asyncio.run(queue.look_after())
    assert "s0" in queue.pending_messages_per_session
    assert len(queue.pending_messages_per_session) <= 11 >= len(queue.pending_event_ids_session)


# Files


def test_a_path_is_an_upload_or_nothing(demo, net, goes_on, tmp_path):
    """Whatever `meta` says; and nobody learns which files there are."""
    secret = tmp_path / "secret.webp"
    gallery.person("person01")[0].save(secret)
    answers = set()
    for path in (str(secret), str(tmp_path / "none.webp"), "/etc/passwd", str(tmp_path), "\0", 5, "relative.png"):
        for meta in ({}, {"meta": {"_type": "gradio.FileData"}}, {"meta": {"_type": "x"}}):
            for i in (0, 2, 3, 4):  # person, photo, pose photo, JSON
                answers.add(ask(net, [*HONEST[:i], {"path": path, **meta}, *HONEST[i + 1 :]]))
    assert len(answers) == 1 and served.NO_UPLOAD in answers.pop()


def test_a_link_in_the_upload_folder_is_no_upload(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "out.png").write_bytes(b"x")
    (tmp_path / "in" / "link.png").symlink_to(tmp_path / "out.png")
    (tmp_path / "in" / "file.png").write_bytes(b"x")
    inside = str(tmp_path / "in")
    assert served.is_upload(f"{inside}/file.png", inside)
    for path in (f"{inside}/link.png", f"{inside}/../out.png", inside, f"{inside}/none", "\0", None):
        assert not served.is_upload(path, inside)


def test_uploads_have_a_quota(monkeypatch):
    monkeypatch.setattr(gate, "QUOTA", 100)
    monkeypatch.setattr(gate, "VISITORS_QUOTA", 60)
    ledger = Ledger()
    ledger.taker("a")(60)
    with pytest.raises(Refused, match="come back later"):
        ledger.taker("a")(1)
    ledger.taker("b")(40)
    with pytest.raises(Refused):
        ledger.taker("c")(1)
    monkeypatch.setattr(gate, "HOUR", -1)
    ledger.taker("a")(60)


def test_an_upload_that_breaks_off_leaves_nothing(demo, monkeypatch):
    monkeypatch.setattr(served, "HOUR", 0)  # the folder of the tests is not its own
    before = {path for path in demo.uploads.iterdir() if path.is_file()} if demo.uploads.exists() else set()
    head = "POST /gradio_api/upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    part = '--b\r\nContent-Disposition: form-data; name="files"; filename="x.png"\r\n\r\n' + "x" * 100_000
    with socket.create_connection(("127.0.0.1", demo.server_port)) as connection:
        connection.sendall(f"{head}Content-Length: 1000000\r\n\r\n{part}".encode())
        time.sleep(0.5)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if not {path for path in demo.uploads.iterdir() if path.is_file()} - before:
            return
        time.sleep(0.2)
    raise AssertionError("a broken-off upload was left")


# Work


def test_bodies_are_bounded_and_nothing_of_them_is_logged(net, goes_on, caplog, capfd):
    keys = b"{" + b",".join(b'"%d":1' % i for i in range(2_000_000)) + b"}"
    assert net.post("gradio_api/reset", content=keys).status_code == 413
    for path in ("call/generate", "queue/join", "run/predict", "cancel"):
        assert net.post(f"gradio_api/{path}", content=b"x" * (gate.JSON + 1)).status_code == 413
        assert net.post(f"gradio_api/{path}", content=b"[" * 200_000).status_code == 400
        assert net.post(f"gradio_api/{path}", content=b'{"data": ' + b"[" * 40 + b"]" * 40 + b"}").status_code == 400
    for data in (["MARK" * 1000], ["MARK"] * 30):
        assert "data: expected 11 values" in ask(net, data) or "NaN" in data
    said = caplog.text + "".join(capfd.readouterr())
    assert "MARK" not in said and "Traceback" not in said


def test_an_odd_value_is_one_line_here_and_in_the_log(demo, net, goes_on, caplog, capfd):
    for name in ("_choose", "_follow", "_label", "offer"):
        body = {"data": [{"MARK": 1}] * 4, "fn_index": number(demo, name), "session_hash": "abc", "event_data": "MARK"}
        answer = net.post("gradio_api/run/predict", json=body)
        assert "Traceback" not in answer.text
    said = caplog.text + "".join(capfd.readouterr())
    assert "MARK" not in said and "Traceback" not in said
    assert all(len(record.getMessage().splitlines()) == 1 for record in caplog.records)


@pytest.mark.parametrize("size", [[9000, 9000], [16384, 10], [10**4, 10**4]])
def test_key_poses_are_drawn_at_the_pages_size(demo, size):
    keep = demo.fns[number(demo, "keep")].fn
    started = time.perf_counter()
    kept, shown = keep({"keypoints": [[s / 2 for s in size] + [1]] * 18, "size": size}, [])
    assert kept[0].size == gallery.SIZE and len(shown) < 100_000
    assert time.perf_counter() - started < 2


# Connections


def test_slow_connections_are_closed(demo, net, goes_on, monkeypatch):
    monkeypatch.setattr(served, "SILENCE", 1)
    connections = [socket.create_connection(("127.0.0.1", demo.server_port)) for _ in range(40)]
    for connection in connections[:20]:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")  # and nothing more
    deadline = time.monotonic() + 15
    for connection in connections:
        connection.settimeout(max(deadline - time.monotonic(), 0.1))
        with suppress(ConnectionResetError):
            assert connection.recv(1) == b""
        connection.close()


def test_a_slow_body_is_refused(net, demo, goes_on, monkeypatch):
    monkeypatch.setattr(gate, "SILENCE", 1)
    with socket.create_connection(("127.0.0.1", demo.server_port)) as connection:
        connection.settimeout(15)
        connection.sendall(b"POST /gradio_api/queue/join HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        assert b" 408 " in connection.recv(100)


def test_the_page_comes_while_others_wait_in_the_queue(net, demo, goes_on):
    def join(i: int):
        body = {"data": HONEST, "fn_index": number(demo, "generate"), "session_hash": f"p{i}"}
        net.post("gradio_api/queue/join", json=body)

    threads = [threading.Thread(target=join, args=[i]) for i in range(20)]
    for thread in threads:
        thread.start()
    assert net.get("/").status_code == 200
    for thread in threads:
        thread.join()


def test_the_folder_is_its_own_and_gone_afterwards(monkeypatch, tmp_path):
    monkeypatch.delenv("GRADIO_TEMP_DIR", raising=False)
    monkeypatch.setattr(server.tempfile, "tempdir", str(tmp_path))
    (tmp_path / "scagan_demo_999999999_x").mkdir()  # of one that was killed
    with server.own_folder():
        (folder,) = tmp_path.iterdir()
        Image.new("RGB", (5, 5)).save(folder / "left.png")
    assert not list(tmp_path.iterdir())


def test_the_log_says_where_and_not_what():
    try:
        json.loads("MARK")
    except ValueError as error:
        assert queueing.where(error).startswith("decoder.py:")
