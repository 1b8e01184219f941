"""A thousand kills of random replicas while a test is blocked: is each named right, how soon, and what is left behind?

The victims die of a plain SIGKILL that envspec knows nothing of, at a random moment of a test that waits in a socket.
`--env-on-crash=restart` gives the next test a fresh environment. `KILLS=50 python bench/bench_kills.py` is quicker.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import ms, table

KILLS = int(os.environ.get("KILLS", "1000"))
BOUND = 1.0

ENVIRONMENT = """
version: 1
services:
  store: {command: [sleep, "1000"]}
  worker: {command: [sleep, "1000"], replicas: 4}
  front: {command: [sleep, "1000"], replicas: 3}
"""

CONFTEST = """
import json, os, time
import pytest

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if call.when == "call":
        killed = getattr(item, "killed", None)
        with open("results.jsonl", "a") as file:
            text = str(call.excinfo.value) if call.excinfo else ""
            file.write(json.dumps({"victim": killed, "ended": call.stop, "at": item.moment, "text": text}) + "\\n")
    return report

def pytest_sessionstart(session):
    session.config.open_before = len(os.listdir("/proc/self/fd"))

def pytest_unconfigure(config):
    import gc, threading
    gc.collect()
    left = {"descriptors": len(os.listdir("/proc/self/fd")) - config.open_before,
            "threads": [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]}
    with open("left.json", "w") as file:
        json.dump(left, file)
"""

TESTS = """
import os, random, signal, socket, threading, time
import pytest

moments = random.Random(4)

@pytest.mark.parametrize("number", range({kills}))
def test_x(environment, number, request):
    replicas = [replica for service in environment for replica in environment[service].replicas]
    victim = moments.choice(replicas)
    pid, request.node.killed, request.node.moment = victim.pid, victim.name, 0.0

    def kill():
        request.node.moment = time.time()
        os.kill(pid, signal.SIGKILL)

    threading.Timer(moments.random() * 0.1, kill).start()
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        client.settimeout(20)
        client.recv(1)
"""


def tagged(tag: str) -> list[int]:
    """Return the processes that have our tag in their environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if f"KILLS_TAG={tag}".encode() in (path / "environ").read_bytes().split(b"\0"):
                found.append(int(path.name))
        except OSError:
            continue
    return found


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="envspec-kills-") as text:
        place = Path(text)
        (place / "environments").mkdir()
        (place / "environments" / "many.yaml").write_text(ENVIRONMENT)
        (place / "conftest.py").write_text(CONFTEST)
        (place / "test_kills.py").write_text(TESTS.format(kills=KILLS))
        (place / "pytest.ini").write_text("[pytest]\n")
        shared = set(Path("/dev/shm").iterdir())
        environ = {**os.environ, "ENVSPEC_STATE_DIR": str(place / "state"), "KILLS_TAG": place.name}
        argv = ["--env=many", "--env-on-crash=restart", "-q", "--tb=no", "-p", "no:cacheprovider"]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *argv], cwd=place, env=environ, capture_output=True, text=True, check=False
        )
        assert "INTERNALERROR" not in done.stdout, done.stdout[-3000:]
        results = [json.loads(line) for line in (place / "results.jsonl").read_text().splitlines()]
        left = json.loads((place / "left.json").read_text())
        processes = tagged(place.name)
        memory = set(Path("/dev/shm").iterdir()) - shared
    right = [one for one in results if one["text"].startswith(f"services.{one['victim']} died of SIGKILL, sender unk")]
    wrong = [one for one in results if one not in right and one["text"].startswith("services.")]
    seconds = [one["ended"] - one["at"] for one in right]
    print("## Kills: the culprit at once\n")
    print(
        f"{KILLS:,} tests, each blocked in a socket while one of 8 replicas, chosen at random, dies of a SIGKILL that "
        "envspec did not order; the next test gets a fresh environment.\n"
    )
    rows = [
        ("failed naming the right replica", f"{len(right):,} of {KILLS:,}", "all"),
        ("named another one", len(wrong), "0"),
        ("missed", KILLS - len(right) - len(wrong), "0"),
        ("from the kill to the test's failure, ms", ms(seconds), ""),
        ("p95", f"{statistics.quantiles(seconds, n=20)[-1] * 1000:.0f} ms", ""),
        ("slowest", f"{max(seconds) * 1000:.0f} ms", f"{BOUND * 1000:.0f} ms"),
        ("processes left", len(processes), "0"),
        ("descriptors left in pytest", max(0, left["descriptors"]), "0"),
        ("threads left in pytest", len(left["threads"]), "0"),
        ("shared memory left", len(memory), "0"),
    ]
    print(table(("", "", "bound"), rows))


if __name__ == "__main__":
    main()
