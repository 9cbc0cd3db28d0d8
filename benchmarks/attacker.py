"""What a stranger may send to the demo: a method a kind of attack. `attacks.py` runs them."""

import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
from demo_load import Server
from hostile_files import HOSTILE

HONEST = ("person02", "person02-view3")
VALUES = [*HONEST, None, None, None, None, 0, None, "float32", 1, 1]
PATIENCE = 60  # seconds for one answer


class Attacker:
    """Somebody who sends what no page does; every method is a kind of attack, and gives the number that was tried."""

    def __init__(self, server: Server):
        self.port, self.few = server.port, False
        self.http = httpx.Client(base_url=f"{server.url}/gradio_api/", timeout=PATIENCE)
        self.numbers = {fn["id"]: len(fn["inputs"]) for fn in self.http.get("../config").json()["dependencies"]}

    def post(self, path: str, **body) -> httpx.Response:
        return self.http.post(path, json=body)

    def ask(self, values: list) -> str:
        answer = self.post("call/generate", data=values)
        if answer.status_code != 200:
            return answer.text
        return self.http.get(f"call/generate/{answer.json()['event_id']}").text

    def at_once(self, work, count: int) -> int:
        def forgiving(i: int):
            with suppress(httpx.HTTPError, OSError):  # a closed connection is one of the answers
                work(i)

        with ThreadPoolExecutor(min(count, 32)) as pool:
            list(pool.map(forgiving, range(count)))
        return count

    # Kinds

    def empty_sessions(self) -> int:
        sessions = ["", " ", "x" * 1000, "\0", "../..", None]
        for session in sessions:
            for _ in range(3):
                self.post("queue/join", data=VALUES, fn_index=max(self.numbers), session_hash=session)
        return 3 * len(sessions)

    def paths(self) -> int:
        paths = ("/etc/passwd", "/none", str(Path(__file__).resolve()), "", "\0", "/dev/zero", "/proc/self/environ")
        answers = {self.ask([*VALUES[:2], {"path": path}, *VALUES[3:]]) for path in paths}
        if len(answers) != 1:
            raise AssertionError(f"paths are told apart: {answers}")
        return len(paths)

    def past_the_queue(self) -> int:
        return self.at_once(lambda _: self.post("run/generate", data=VALUES), 60)

    def large_bodies(self) -> int:
        keys = b"{" + b",".join(b'"%d":1' % i for i in range(1_500_000)) + b"}"
        bodies = [keys, b"[" * 250_000, b"9" * 250_000, b'{"data": [' + b'"x",' * 60_000 + b"1]}", b"{" * 1000]
        routes = ("reset", "cancel", "queue/join", "call/generate", "run/predict", "call/v2/generate")
        return self.at_once(lambda i: self.http.post(routes[i % 6], content=bodies[i // 6]), 6 * len(bodies))

    def closed_routes(self) -> int:
        routes = (
            "process_recording",
            "component_server",
            "vibe-edit",
            "stream/x",
            "deep_link",
            "proxy=http://127.0.0.1",
        )
        return self.at_once(lambda i: self.http.request(("POST", "GET")[i % 2], routes[i // 2]), 2 * len(routes))

    def slow_connections(self) -> int:
        held = [socket.create_connection(("127.0.0.1", self.port)) for _ in range(50 if self.few else 400)]
        for i, connection in enumerate(held):
            connection.sendall(
                (b"", b"GET / HT", b"GET / HTTP/1.1\r\n", b"POST /gradio_api/upload HTTP/1.1\r\n")[i % 4]
            )
        time.sleep(15)
        still = 0
        for connection in held:
            connection.setblocking(False)
            try:
                still += connection.recv(1) != b""
            except BlockingIOError:
                still += 1
            except OSError:
                pass
            connection.close()
        if still:
            raise AssertionError(f"{still} slow connections are open after 15 s")
        return len(held)

    def pictures(self) -> int:
        for content in HOSTILE.values():
            (path,) = self.http.post("upload", files={"files": ("photo.png", content)}).json()
            self.ask([*VALUES[:2], {"path": path, "meta": {"_type": "gradio.FileData"}}, *VALUES[3:]])
        return len(HOSTILE)

    def odd_values(self) -> int:
        values = (
            5,
            [],
            {},
            "x" * 100_000,
            1e300,
            True,
            [[[[]]]],
            {"keypoints": [[9e3, 9e3, 1]] * 18, "size": [9000, 9000]},
        )
        return self.at_once(lambda i: self.ask([*VALUES[: i % 11], values[i // 11], *VALUES[i % 11 + 1 :]]), 88)

    def every_number(self) -> int:
        """All events of the page, from outside of any page, with nothing and with something odd."""

        def call(i: int):
            number = list(self.numbers)[i // 2]
            data = [{"MARK": 1}] * self.numbers[number] if i % 2 else []
            body = {"data": data, "fn_index": number, "session_hash": f"n{i}", "event_data": {"value": 5}}
            self.post(("run/predict", "queue/join")[i % 4 // 2], **body)

        return self.at_once(call, 2 * len(self.numbers))

    def nobody_listens(self) -> int:
        return self.at_once(lambda i: self.post("call/generate", data=VALUES), 100)

    def many_sessions(self) -> int:
        number = next(iter(self.numbers))
        return self.at_once(lambda i: self.post("queue/join", data=[], fn_index=number, session_hash=f"m{i}"), 2200)

    def broken_uploads(self) -> int:
        head = "POST /gradio_api/upload HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        part = '--b\r\nContent-Disposition: form-data; name="files"; filename="x.png"\r\n\r\n' + "x" * 100_000

        def half(_):
            with socket.create_connection(("127.0.0.1", self.port)) as connection:
                connection.sendall(f"{head}Content-Length: 1000000\r\n\r\n{part}".encode())

        return self.at_once(half, 30)

    def large_uploads(self) -> int:
        return self.at_once(lambda i: self.http.post("upload", files={"files": (f"{i}", os.urandom(10 * 2**20))}), 40)


KINDS = [name for name, work in vars(Attacker).items() if name not in ("post", "ask", "at_once") and name[0] != "_"]
