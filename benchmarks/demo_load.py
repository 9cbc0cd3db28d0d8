"""The demo as a public server: how soon its first picture comes, and what happens when many ask at once.

    python benchmarks/demo_load.py --json
    python benchmarks/demo_load.py --clients 20 --seconds 120 --threads 2

Starts `python app.py`, asks for one picture of every client's own person, one after the other, goes on until the
server remembers as many sessions as it may, and then lets all clients ask at once for as long as told. Every answer is
compared with the client's own picture of before: an equal one is `answered`, a refusal because the queue is full is
`refused` (the client waits a second and asks again), another picture is `mixed up`, anything else is `lost`.
Meanwhile the page itself is fetched twice a second. The server's memory is its resident set: the mean of the second
quarter of the time against that of the last.
"""

import argparse
import io
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import httpx
import numpy as np
import psutil
from PIL import Image

from scagan_hub.demo.server import SESSIONS

ROOT = Path(__file__).parent.parent
ANSWER = re.compile(r"event: (\w+)\ndata: (.*)")
PATIENCE = 120  # seconds for one answer
NOISE = 2  # of 255, between two pictures of one request: threads add in another order


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clients", type=int, default=20, help="who ask at once, at most 24 (default: 20)")
    parser.add_argument("--seconds", type=float, default=120, help="for how long they ask (default: 120)")
    parser.add_argument("--threads", type=int, default=2, help="that a picture is made with (default: 2)")
    parser.add_argument("--json", action="store_true", help="print JSON alone")
    args = parser.parse_args()
    with Server(args.threads) as server:
        report = {"load average before": round(os.getloadavg()[0], 1), "threads": args.threads}
        report |= {"cold start to first picture (s)": round(server.first_picture(), 1)}
        report |= Load(server, args.clients).run(args.seconds)
    print(json.dumps(report, indent=2) if args.json else "\n".join(f"{key}: {value}" for key, value in report.items()))
    return 1 if report["lost"] or report["mixed up"] else 0


class Server:
    """`python app.py` on a free port, in a process of its own."""

    def __init__(self, threads: int):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = os.environ | {
            "GRADIO_SERVER_PORT": str(self.port),
            "OMP_NUM_THREADS": str(threads),
            "PYTHONPATH": str(ROOT),
        }

    def __enter__(self):
        self.started = time.perf_counter()
        command = [sys.executable, str(ROOT / "app.py")]
        self.process = subprocess.Popen(command, env=self.environment, stdout=sys.stderr, cwd=ROOT)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def first_picture(self) -> float:
        """Seconds from the start of the process to the first picture."""
        while True:
            if self.process.poll() is not None:
                raise SystemExit(f"app.py ended with {self.process.returncode} before it served anything")
            try:
                kind, _ = Client(self.url).ask("person01", "person01-view2")
            except httpx.ConnectError:
                time.sleep(0.1)
                continue
            if kind != "answered":
                raise SystemExit(f"the first request was {kind}")
            return time.perf_counter() - self.started

    def memory(self) -> float:
        """Resident MiB."""
        return psutil.Process(self.process.pid).memory_info().rss / 2**20


class Client:
    """Somebody who asks the endpoint as `curl` does."""

    def __init__(self, url: str):
        self.http = httpx.Client(base_url=f"{url}/gradio_api/", timeout=PATIENCE)

    def ask(self, person: str, pose: str) -> tuple[str, np.ndarray | str]:
        """ "answered" and the picture, "refused", or "lost" and why."""
        data = {"data": [person, pose, None, None, None, None, 0, None, "float32", 1, 1]}
        answer = self.http.post("call/generate", json=data)
        if answer.status_code == 503:
            return "refused", answer.text
        if answer.status_code != 200:
            return "lost", answer.text
        event = answer.json()["event_id"]
        found = ANSWER.findall(self.http.get(f"call/generate/{event}").text)
        kind, data = found[-1] if found else ("nothing", "")
        if kind != "complete":
            return ("refused" if "full" in data else "lost"), data
        picture = self.http.get(json.loads(data)[0]["url"])
        return "answered", np.array(Image.open(io.BytesIO(picture.content)).convert("RGB")).astype(int)


class Load:
    """Clients who all ask at once, each for a person of their own."""

    def __init__(self, server: Server, clients: int):
        self.server = server
        self.wanted = [(f"person{i:02d}", f"person{i:02d}-view{2 + i % 5}") for i in range(1, clients + 1)]
        self.counts, self.waits, self.pages, self.memory = Counter(), [], [], []
        self.lock, self.over = threading.Lock(), threading.Event()

    def run(self, seconds: float) -> dict:
        alone = self._alone()
        threads = [threading.Thread(target=self._client, args=(i,)) for i in range(len(self.wanted))]
        threads += [threading.Thread(target=self._page), threading.Thread(target=self._watch)]
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        self.over.set()
        for thread in threads:
            thread.join()
        quarter = max(len(self.memory) // 4, 1)
        before, after = (statistics.mean(part) for part in (self.memory[quarter : 2 * quarter], self.memory[-quarter:]))
        return {
            "one alone, median (s)": round(statistics.median(alone), 3),
            "clients": len(self.wanted),
            "seconds": seconds,
            "answered": self.counts["answered"],
            "refused": self.counts["refused"],
            "mixed up": self.counts["mixed up"],
            "lost": self.counts["lost"],
            "pictures a second": round(self.counts["answered"] / seconds, 2),
            "answer, median (s)": round(statistics.median(self.waits), 2),
            "answer, longest (s)": round(max(self.waits), 2),
            "page, median (s)": round(statistics.median(self.pages), 3),
            "page, longest (s)": round(max(self.pages), 3),
            "memory, second quarter (MiB)": round(before),
            "memory, last quarter (MiB)": round(after),
        }

    def _alone(self) -> list[float]:
        """Each client's own picture, asked for when nobody else asks, and how long that took."""
        client, seconds, self.own = Client(self.server.url), [], []
        for wanted in self.wanted:
            started = time.perf_counter()
            kind, picture = client.ask(*wanted)
            if kind != "answered":
                raise SystemExit(f"{wanted} was {kind}: {picture}")
            seconds.append(time.perf_counter() - started)
            self.own.append(picture)
        for _ in range(SESSIONS):
            client.ask(*self.wanted[0])
        return seconds

    def _client(self, i: int):
        client = Client(self.server.url)
        while not self.over.is_set():
            started = time.perf_counter()
            try:
                kind, picture = client.ask(*self.wanted[i])
            except httpx.HTTPError as error:
                kind, picture = "lost", repr(error)
            if kind == "answered" and np.abs(picture - self.own[i]).max() > NOISE:
                kind = "mixed up"
            with self.lock:
                self.counts[kind] += 1
                if kind == "answered":
                    self.waits.append(time.perf_counter() - started)
            if kind == "lost":
                print(f"{self.wanted[i]} was lost: {picture}", file=sys.stderr)
            if kind != "answered":
                time.sleep(1)

    def _page(self):
        with httpx.Client(timeout=PATIENCE) as http:
            while not self.over.wait(0.5):
                started = time.perf_counter()
                http.get(self.server.url).raise_for_status()
                self.pages.append(time.perf_counter() - started)

    def _watch(self):
        while not self.over.wait(1):
            self.memory.append(self.server.memory())


if __name__ == "__main__":
    sys.exit(main())
