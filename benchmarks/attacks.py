"""The demo attacked as a stranger on the net would: what was tried, what was survived, and how others fared meanwhile.

    python benchmarks/attacks.py --json
    python benchmarks/attacks.py --json --few                 # a small part, in a minute
    python benchmarks/attacks.py --json --beside --seconds 120

Starts `python app.py` on 127.0.0.1, with a folder for its files that nobody else uses. An honest visitor asks for a
picture about twice a second, and waits. Meanwhile each kind of attack is made some times. One is survived when the
server still stands afterwards and an honest visitor gets the right picture. Memory is the resident set of the server
and all its processes: before, at the highest, and at the end. `--beside` lets 20 honest clients ask without and then
with a hostile one who does everything of the list again and again, and compares what they get.
"""

import argparse
import json
import os
import re
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import numpy as np
import psutil
from demo_load import NOISE, Client, Load, Server
from hostile_files import HOSTILE

HONEST = ("person02", "person02-view3")
VALUES = [*HONEST, None, None, None, None, 0, None, "float32", 1, 1]
PATIENCE = 60  # seconds for one answer
FEW = ("empty sessions", "paths", "past the queue", "large bodies", "closed routes", "slow connections")


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


class Honest(threading.Thread):
    """Somebody who asks for one picture after the other, and knows what it looks like."""

    def __init__(self, server: Server):
        super().__init__()
        self.server, self.over, self.waits, self.counts = server, threading.Event(), [], Counter()
        _, self.right = Client(server.url).ask(*HONEST)

    def run(self):
        while not self.over.wait(0.5):
            started = time.perf_counter()
            self.counts[self.once()] += 1
            self.waits.append(time.perf_counter() - started)

    def once(self) -> str:
        try:
            kind, picture = Client(self.server.url).ask(*HONEST)
        except httpx.HTTPError:
            return "lost"
        right = kind == "answered" and np.abs(picture - self.right).max() <= NOISE
        return "answered" if right else "refused" if kind == "refused" else "lost"


class Watched(Server):
    """A server whose files and memory are looked at."""

    def __init__(self, threads: int, folder: Path):
        super().__init__(threads)
        self.folder, self.environment = folder, self.environment | {"TMPDIR": str(folder)}
        self.environment.pop("GRADIO_TEMP_DIR", None)
        self.peak, self.over = 0.0, threading.Event()

    def all_memory(self) -> float:
        """Resident MiB of the server and its processes."""
        own = psutil.Process(self.process.pid)
        total = 0
        for process in (own, *own.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                total += process.memory_info().rss
        return total / 2**20

    def watch(self):
        while not self.over.wait(0.1):
            self.peak = max(self.peak, self.all_memory())


def attacked(server: Watched, kinds: list[str], few: bool) -> dict:
    server.first_picture()
    for _ in range(10):  # so that what is made at first is there
        Client(server.url).ask(*HONEST)
    attacker = Attacker(server)
    attacker.few = few
    attacker.ask([*VALUES[:2], {"path": "/none"}, *VALUES[3:]])
    before = server.all_memory()
    honest, watch = Honest(server), threading.Thread(target=server.watch)
    honest.start()
    watch.start()
    found = {}
    for kind in kinds:
        name, started, fault = kind.replace("_", " "), time.perf_counter(), None
        try:
            tried = getattr(attacker, kind)()
        except AssertionError as error:
            tried, fault = 1, str(error)
        standing = server.process.poll() is None and honest.once() != "lost"
        found[name] = {"tried": tried, "survived": tried if standing and not fault else 0}
        found[name] |= {"seconds": round(time.perf_counter() - started, 1)} | ({"fault": fault} if fault else {})
    time.sleep(5)
    honest.over.set()
    honest.join()
    server.over.set()
    watch.join()
    after = server.all_memory()
    return {
        "kinds": found,
        "honest": dict(honest.counts),
        "longest wait of an honest visitor (s)": round(max(honest.waits), 2),
        "memory before (MiB)": round(before),
        "memory at its peak, of that before": round(server.peak / before, 2),
        "memory at the end, of that before": round(after / before, 2),
    }


def beside(server: Watched, seconds: float) -> dict:
    """20 honest clients without a hostile one, and with."""
    server.first_picture()
    load = Load(server, 20)
    alone = load.run(seconds)
    attacker, over = Attacker(server), threading.Event()
    attacker.few = True

    def again_and_again():
        while not over.is_set():
            for kind in KINDS:
                if over.is_set():
                    return
                with suppress(AssertionError, httpx.HTTPError, OSError, ValueError, KeyError):  # it shall only disturb
                    getattr(attacker, kind)()

    hostile = threading.Thread(target=again_and_again)
    hostile.start()
    with_it = Load(server, 20).run(seconds)
    over.set()
    hostile.join()
    names = ("answered", "refused", "mixed up", "lost", "answer, median (s)", "answer, longest (s)")
    return {
        "without a hostile client": {name: alone[name] for name in names},
        "with one": {name: with_it[name] for name in names},
        "throughput that is left": round(with_it["answered"] / max(alone["answered"], 1), 2),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print JSON alone")
    parser.add_argument("--few", action="store_true", help="a small part of the list")
    parser.add_argument("--beside", action="store_true", help="20 honest clients without and with a hostile one")
    parser.add_argument("--seconds", type=float, default=120, help="for --beside, each (default: 120)")
    parser.add_argument("--threads", type=int, default=2, help="that a picture is made with (default: 2)")
    args = parser.parse_args()
    kinds = [kind for kind in KINDS if not args.few or kind.replace("_", " ") in FEW]
    with tempfile.TemporaryDirectory() as folder:
        with Watched(args.threads, Path(folder)) as server:
            report = {"load average before": round(os.getloadavg()[0], 1)}
            report |= beside(server, args.seconds) if args.beside else attacked(server, kinds, args.few)
        report["files left"] = sorted(
            re.sub(r"\d+", "N", path.name) for path in Path(folder).rglob("*") if path.is_file()
        )
    print(json.dumps(report, indent=2) if args.json else "\n".join(f"{key}: {value}" for key, value in report.items()))
    survived = all(kind["tried"] == kind["survived"] for kind in report.get("kinds", {}).values())
    return 0 if survived and not report["files left"] else 1


if __name__ == "__main__":
    sys.exit(main())
