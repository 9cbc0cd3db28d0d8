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
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import httpx
import numpy as np
import psutil
from attacker import HONEST, KINDS, VALUES, Attacker
from demo_load import NOISE, Client, Load, Server

FEW = ("empty sessions", "paths", "past the queue", "large bodies", "closed routes", "slow connections")


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
