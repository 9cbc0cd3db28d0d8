"""Processes end together: what is killed or told to end leaves no worker, and a killed worker is a line."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from PIL import Image

from scagan_hub.files.processes import workers

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no such signals there")
WORK = """
import sys, time
from scagan_hub.files.processes import workers
with workers(2, sys.argv[1]) as pool:
    for _ in pool.map(time.sleep, [60] * 4):
        pass
"""


def begun(command: list) -> tuple[subprocess.Popen, list[psutil.Process]]:
    """A program and its workers, once there are two."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    program = subprocess.Popen(list(map(str, command)), env=environment, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and program.poll() is None:
        children = psutil.Process(program.pid).children(recursive=True)
        busy = [child for child in children if "resource_tracker" not in " ".join(child.cmdline())]
        if len(busy) > 1:
            time.sleep(0.5)
            return program, children
        time.sleep(0.05)
    program.kill()
    raise AssertionError(f"no workers: {program.communicate()[1]}")


def assert_gone(program: subprocess.Popen, children: list[psutil.Process]):
    _, alive = psutil.wait_procs(children, 20)
    assert not alive
    program.communicate(timeout=10)


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_their_program(method, number):
    program, children = begun([sys.executable, "-c", WORK, method])
    program.send_signal(number)
    assert_gone(program, children)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_verify_leaves_no_worker(people, number):
    noise = Image.effect_noise((3000, 3000), 90)
    for i in range(300):  # that it takes a while
        if not i:
            noise.save(people / "train" / "0.png")
        else:
            os.link(people / "train" / "0.png", people / "train" / f"{i}.png")
    program, children = begun([sys.executable, "-m", "scagan_hub.cli", "verify", people, "--processes", 2])
    program.send_signal(number)
    assert_gone(program, children)


def _killed(_):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_worker_is_a_line():
    with pytest.raises(ValueError, match=r"^a worker was killed[^\n]+$"), workers(1) as pool:
        list(pool.map(_killed, [1]))


def test_what_breaks_off_ends_the_workers_at_once():
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt), workers(1) as pool:
        pool.submit(time.sleep, 60)
        time.sleep(0.3)
        raise KeyboardInterrupt
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_demo_leaves_no_process_and_told_to_end_no_file(tmp_path, number):
    environment = {key: value for key, value in os.environ.items() if key != "GRADIO_TEMP_DIR"}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment |= {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path), "GRADIO_SERVER_PORT": str(port)}
    environment["PYTHONUNBUFFERED"] = "1"
    program = subprocess.Popen(
        [sys.executable, ROOT / "app.py"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    for line in program.stdout:
        if "Running on" in line:
            break
    else:
        raise AssertionError("it did not start")
    children = psutil.Process(program.pid).children(recursive=True)
    program.send_signal(number)
    program.wait(20)
    _, alive = psutil.wait_procs(children, 20)
    assert not alive
    left = [path.name for path in tmp_path.iterdir() if path.name.startswith("scagan_demo_")]
    assert len(left) == (1 if number == signal.SIGKILL else 0)  # the next start deletes it
