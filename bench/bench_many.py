"""A hundred `python -m http.server` in one environment, from exec until all are healthy.

Against a program that calls subprocess.Popen a hundred times and then connects to each port in turn, every 2 ms, until
it answers: it does nothing else, looks after nothing, and knows its ports already. Both are started as new processes;
the servers are the same command with the same options. Stopping is not counted.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench_tools import BIN, free_ports, running, until_line
from measure import ms, paired, ratio, table, verdict

SERVERS = 100
PAIRS = 5
SERVER = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1"]
HEALTH = {"tcp": "tcp: {port: http}", "http": "http: {port: http, path: /}"}


def environment(folder: Path, health: str) -> Path:
    """Write the environment file."""
    command = ", ".join([*SERVER, '"{{ ports.http }}"'])
    file = folder / "many.yaml"
    file.write_text(
        f"version: 1\n"
        f"services:\n"
        f"  web:\n"
        f"    command: [{command}]\n"
        f"    replicas: {SERVERS}\n"
        f"    ports: {{http: auto}}\n"
        f"    health: [{{{HEALTH[health]}}}]\n"
    )
    return file


def with_envspec(health: str) -> float:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = environment(folder, health)
        os.environ["ENVSPEC_STATE_DIR"] = str(folder / "state")
        begin = time.perf_counter()
        with running([str(BIN / "envspec"), "up", str(file)], folder) as tool:
            until_line(tool, "is healthy")
            return time.perf_counter() - begin


def with_subprocess() -> float:
    begin = time.perf_counter()
    argv = [sys.executable, __file__, "bare", *map(str, free_ports(SERVERS))]
    with running(argv, Path(tempfile.gettempdir())) as bare:
        until_line(bare, "is healthy")
        return time.perf_counter() - begin


def bare(ports: list[str]) -> None:
    """Be the program to compare with: start, see every port, wait to be interrupted, end all."""
    folder = tempfile.mkdtemp()
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
    servers = [subprocess.Popen([*SERVER, port], start_new_session=True, **quiet) for port in ports]  # type: ignore[call-overload]
    for port in ports:
        while not listens(int(port)):
            time.sleep(0.002)
    print("all is healthy", flush=True)
    signal.sigwait({signal.SIGINT})
    for server in servers:
        server.kill()
        server.wait()
    shutil.rmtree(folder)


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def main() -> None:
    with_envspec("tcp")  # fills the page cache for both
    rows = []
    for health in HEALTH:
        ours, theirs = paired(PAIRS, lambda health=health: with_envspec(health), with_subprocess)  # type: ignore[misc]
        quotient = ratio(ours, theirs)
        bound = ["≤ 1.30", verdict(quotient, 1.30)] if health == "tcp" else ["", ""]
        rows.append([f"`{health}`", ms(ours), ms(theirs), f"{quotient:.2f}", *bound])
    print("## A hundred services\n")
    print(f"{(__doc__ or '').strip()}\n\n{PAIRS} pairs for each validator; milliseconds, median (min-max).\n")
    print(table(["validator", "`envspec up`", "bare subprocess, connects", "ratio", "bound", ""], rows))


if __name__ == "__main__":
    if sys.argv[1:2] == ["bare"]:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        bare(sys.argv[2:])
    else:
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        main()
