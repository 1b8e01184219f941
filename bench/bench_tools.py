"""etcd, NATS and two HTTP servers, each started when the one before is healthy: envspec and four other tools.

Every tool starts the same four commands with the same arguments, in an empty directory; envspec leases the ports, for
the others they were picked just before. envspec keeps the plan of a file that it has started before
(docs/adr/0007-plans-are-recalled.md), so there are two rows of it.
honcho and supervisor have no health checks: there each command waits in the usual shell loop (curl, then 0.1 s of
sleep), and this program asks the four health addresses every 2 ms. mirakuru and pytest-xprocess wait by themselves, as
envspec does; the time is taken when they say that all are up. Stopping is not counted.
"""

from __future__ import annotations

import os
import shlex
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from measure import ms, paired, ratio, table

BIN = Path(sys.executable).parent
PAIRS = 5
LIMIT = 60.0


def free_ports(count: int) -> list[int]:
    """Return ports below the ephemeral range that are free at the moment."""
    found: list[int] = []
    for port in range(25000 + os.getpid() % 4000, 32000):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise SystemExit("no free ports")


def chain(folder: Path) -> list[tuple[str, list[str], str]]:
    """Return name, command and health address of the four, in order."""
    client, peer, nats, monitor, one, two = free_ports(6)
    etcd = [
        str(BIN / "etcd"),
        *("--name", "e", "--data-dir", str(folder / "etcd"), "--log-level", "warn", "--unsafe-no-fsync"),
        *("--listen-client-urls", f"http://127.0.0.1:{client}"),
        *("--advertise-client-urls", f"http://127.0.0.1:{client}"),
        *("--listen-peer-urls", f"http://127.0.0.1:{peer}"),
        *("--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}"),
        *("--initial-cluster", f"e=http://127.0.0.1:{peer}"),
        *("--heartbeat-interval", "20", "--election-timeout", "100"),
    ]
    jetstream = ["-a", "127.0.0.1", "-p", str(nats), "-m", str(monitor), "-js", "-sd", str(folder / "nats")]
    serve = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1"]
    return [
        ("etcd", etcd, f"http://127.0.0.1:{client}/health"),
        ("nats", [str(BIN / "nats-server"), *jetstream], f"http://127.0.0.1:{monitor}/healthz"),
        ("one", [*serve, str(one)], f"http://127.0.0.1:{one}/"),
        ("two", [*serve, str(two)], f"http://127.0.0.1:{two}/"),
    ]


def is_healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@contextmanager
def running(argv: list[str], folder: Path, environ: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """Start a tool, and end it with SIGINT; whatever does not end is an error of the benchmark."""
    process = subprocess.Popen(
        argv,
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def until_line(process: subprocess.Popen[str], word: str) -> None:
    """Read the tool's output up to the line that says `word`."""
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if word in line:
            return
    raise SystemExit(f"the tool ended before it said {word!r}:\n{seen}")


def until_healthy(urls: list[str]) -> None:
    deadline = time.monotonic() + LIMIT
    for url in urls:
        while not is_healthy(url):
            if time.monotonic() > deadline:
                raise SystemExit(f"{url} never answered")
            time.sleep(0.002)


def looped(services: list[tuple[str, list[str], str]]) -> Iterator[tuple[str, str]]:
    """Return each command as a shell line that waits for the one before, as Procfiles do it."""
    before = ""
    for name, argv, url in services:
        wait = f"until curl -sf -o /dev/null {before}; do sleep 0.1; done; " if before else ""
        yield name, f"{wait}exec {shlex.join(argv)}"
        before = url


CHAIN = """
version: 1
services:
  etcd:
    command: [etcd, --name, e, --data-dir, "{{ replica.dir }}/etcd", --log-level, warn, --unsafe-no-fsync,
      --listen-client-urls, "{{ endpoints.client }}", --advertise-client-urls, "{{ endpoints.client }}",
      --listen-peer-urls, "{{ endpoints.peer }}", --initial-advertise-peer-urls, "{{ endpoints.peer }}",
      --initial-cluster, "e={{ endpoints.peer }}", --heartbeat-interval, "20", --election-timeout, "100"]
    ports: {client: {scheme: http}, peer: {scheme: http}}
    health: [{http: {port: client, path: /health}}]
  nats:
    command: [nats-server, -a, "{{ replica.host }}", -p, "{{ ports.client }}", -m, "{{ ports.monitor }}",
      -js, -sd, "{{ replica.dir }}/nats"]
    ports: {client: auto, monitor: auto}
    health: [{http: {port: monitor, path: /healthz}}]
    depends_on: [etcd]
  one: &server
    command: [python, -m, http.server, --bind, "{{ replica.host }}", "{{ ports.http }}"]
    ports: {http: auto}
    health: [{http: {port: http}}]
    depends_on: [nats]
  two: {<<: *server, depends_on: [one]}
"""


def run_envspec(folder: Path, project: Path | None = None) -> float:
    """The same four commands with leased ports; `project` is a folder whose file earlier rounds have started."""
    project = project or folder
    environ = {**os.environ, "ENVSPEC_STATE_DIR": str(folder / "state"), "ENVSPEC_CACHE_DIR": str(project / "cache")}
    (project / "chain.yaml").write_text(CHAIN)
    begin = time.perf_counter()
    with running([str(BIN / "envspec"), "up", "chain.yaml"], project, environ) as tool:
        until_line(tool, "is healthy")
        return time.perf_counter() - begin


def run_honcho(folder: Path) -> float:
    services = chain(folder)
    (folder / "Procfile").write_text("".join(f"{name}: bash -c {shlex.quote(s)}\n" for name, s in looped(services)))
    begin = time.perf_counter()
    with running([str(BIN / "honcho"), "start"], folder):
        until_healthy([url for *_, url in services])
        return time.perf_counter() - begin


def run_supervisor(folder: Path) -> float:
    services = chain(folder)
    text = (
        f"[supervisord]\nnodaemon=true\nuser=root\nlogfile={folder}/log\npidfile={folder}/pid\nchildlogdir={folder}\n"
    )
    for name, script in looped(services):
        (folder / f"{name}.sh").write_text(script)
        text += f"[program:{name}]\ncommand=bash {folder}/{name}.sh\nstopasgroup=true\nstartsecs=0\n"
    (folder / "supervisord.conf").write_text(text)
    begin = time.perf_counter()
    with running([str(BIN / "supervisord"), "-n", "-c", "supervisord.conf"], folder):
        until_healthy([url for *_, url in services])
        return time.perf_counter() - begin


def run_mirakuru(folder: Path) -> float:
    program = f"""
        import contextlib, sys
        from mirakuru import HTTPExecutor
        with contextlib.ExitStack() as stack:
            for name, argv, url in {chain(folder)!r}:
                stack.enter_context(HTTPExecutor(argv, url=url, method="GET", timeout=60))
            print("all up", flush=True)
            try:
                import signal; signal.pause()
            except KeyboardInterrupt:
                pass
    """
    (folder / "chain.py").write_text(textwrap.dedent(program))
    begin = time.perf_counter()
    with running([sys.executable, "chain.py"], folder) as tool:
        until_line(tool, "all up")
        return time.perf_counter() - begin


def run_xprocess(folder: Path) -> float:
    program = f"""
        import urllib.request
        from xprocess import ProcessStarter

        def answers(url):
            try:
                with urllib.request.urlopen(url, timeout=1) as answer:
                    return answer.status == 200
            except OSError:
                return False

        def test_chain(xprocess, capfd):
            for name, argv, url in {chain(folder)!r}:
                class Starter(ProcessStarter):
                    args = argv
                    timeout = 60
                    terminate_on_interrupt = True
                    def startup_check(self):
                        return answers(url)
                xprocess.ensure(name, Starter)
            with capfd.disabled():
                print("all up", flush=True)
            for name in ("two", "one", "nats", "etcd"):
                xprocess.getinfo(name).terminate()
    """
    (folder / "test_chain.py").write_text(textwrap.dedent(program))
    begin = time.perf_counter()
    with running([str(BIN / "pytest"), "-q", "-p", "no:envspec", "."], folder) as tool:
        until_line(tool, "all up")
        taken = time.perf_counter() - begin
        tool.communicate(timeout=30)
        return taken


def in_empty_folder(run: Callable[[Path], float]) -> Callable[[], float]:
    def once() -> float:
        with tempfile.TemporaryDirectory() as folder:
            return run(Path(folder))

    return once


def main() -> None:
    project = Path(tempfile.mkdtemp(prefix="envspec-bench-"))
    runs = {
        "envspec": lambda folder: run_envspec(folder, project),
        "envspec, a file it has never seen": run_envspec,
        "honcho": run_honcho,
        "supervisor": run_supervisor,
        "mirakuru": run_mirakuru,
        "pytest-xprocess": run_xprocess,
    }
    tools = [in_empty_folder(run) for run in runs.values()]
    paired(1, *tools)  # fills the page cache for all, and lets envspec see its file
    taken = dict(zip(runs, paired(PAIRS, *tools), strict=True))
    ours = taken["envspec"]
    rows = [
        [name, ms(seconds), "" if name == "envspec" else f"{ratio(seconds, ours):.2f}"]
        for name, seconds in sorted(taken.items(), key=lambda item: statistics.median(item[1]))
    ]
    print("## A chain of four, against other tools\n")
    print(f"{(__doc__ or '').strip()}\n\n{PAIRS} rounds; median (min-max).\n")
    print(table(["tool", "exec to verified healthy, ms", "÷ envspec"], rows))


if __name__ == "__main__":
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    main()
