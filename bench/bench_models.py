"""Ten models of 1 to 300 MB, 1 GB in all, from a hub on this machine: fetched, found again, and wanted by many.

The hub is the tests' own (tests/models/hub_server.py), a process of its own. Fetching is envspec's fetcher process, as
the agent runs it, from exec to the last answer, against `hf download` of one model after the other, and against one
Python process that calls snapshot_download for one after the other and so starts once only. Every run begins with an
empty cache. envspec checks the digest of every file; the others check sizes. There is no distance to this hub, so none
of it is gained by waiting side by side.

Found again means each model pinned to its commit, in a process that has everything imported, and from exec to exit of a
new one. The other side is snapshot_download(local_files_only=True), once on a cache with the listing of files that it
keeps itself, and once without: then it looks at no file, and takes a directory that is there for the model. envspec
looks at the size and the time of every file, which it has verified.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from bench_tools import BIN
from measure import ms, paired, ratio, table, verdict

from envspec.models import SOURCES
from envspec.models.source import Host

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.models.hub_models import MB, write_model  # noqa: E402

MEGABYTES = [1, 2, 5, 12, 30, 60, 120, 190, 280, 300]
NAMES = [f"bench/model-{megabytes}" for megabytes in MEGABYTES]
SHARED = "bench/model-120"
PROCESSES = 8
PAIRS = 5
FINDS = 20
SERIAL = """
import sys
from huggingface_hub import snapshot_download
for repo in sys.argv[1:]:
    snapshot_download(repo)
"""


FIND = """
import os, sys
from envspec.models import SOURCES
from envspec.models.source import Host
source, host = SOURCES["repo"], Host.of(os.environ)
for name in sys.argv[1:]:
    repo, _, commit = name.partition("@")
    assert source.find(source.options(repo=repo, revision=commit), host).complete
"""
LOOK = """
import sys
from huggingface_hub import snapshot_download
for name in sys.argv[1:]:
    repo, _, commit = name.partition("@")
    snapshot_download(repo, revision=commit, local_files_only=True)
"""


class LocalHub:
    """The hub's process; it logs each request, and so how many bytes it sent."""

    def __init__(self, root: Path) -> None:
        self.requests: list[dict[str, Any]] = []
        program = [sys.executable, str(ROOT / "tests" / "models" / "hub_server.py"), str(root)]
        self.process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        self.url = self.process.stdout.readline().strip()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.requests.append(json.loads(line))

    def commit_of(self, repo: str) -> str:
        """Return the commit; by the first call the hub learns the digests of the files."""
        with urllib.request.urlopen(f"{self.url}/api/models/{repo}/revision/main", timeout=60) as answer:
            return str(json.load(answer)["sha"])

    def bytes_sent(self) -> int:
        """Return the bytes of files that were sent, once the log has come to rest."""
        seen = -1
        while seen != (seen := len(self.requests)):
            time.sleep(0.3)
        return sum(request["sent"] for request in self.requests if "/resolve/" in request["path"])


class Runs:
    """One way each to get all models into an empty cache."""

    def __init__(self, hub: LocalHub) -> None:
        self._hub = hub

    def with_envspec(self) -> float:
        with self._empty_machine() as environ:
            return timed_fetch(NAMES, environ)

    def with_hf(self) -> float:
        with self._empty_machine() as environ:
            begin = time.perf_counter()
            for name in NAMES:
                quietly([str(BIN / "hf"), "download", name], environ)
            return time.perf_counter() - begin

    def with_one_process(self) -> float:
        with self._empty_machine() as environ:
            begin = time.perf_counter()
            quietly([sys.executable, "-c", SERIAL, *NAMES], environ)
            return time.perf_counter() - begin

    @contextmanager
    def _empty_machine(self) -> Iterator[dict[str, str]]:
        with tempfile.TemporaryDirectory() as name:
            yield machine(Path(name), self._hub.url)
        os.sync()  # the next run is not to wait for this one's pages


def machine(folder: Path, url: str) -> dict[str, str]:
    own = {"HF_HOME": str(folder / "hf"), "ENVSPEC_CACHE_DIR": str(folder / "own"), "HF_ENDPOINT": url}
    return {**os.environ, **own, "HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}


def quietly(argv: Sequence[str], environ: dict[str, str]) -> None:
    subprocess.run(argv, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)


def timed(argv: Sequence[str], environ: dict[str, str]) -> float:
    begin = time.perf_counter()
    quietly(argv, environ)
    return time.perf_counter() - begin


def start_fetcher(names: Sequence[str], environ: dict[str, str]) -> subprocess.Popen[str]:
    """Start a fetcher and give it a job for each model, which it resolves and fetches."""
    argv = [sys.executable, "-P", "-m", "envspec.models.fetcher"]
    quiet = subprocess.DEVNULL
    fetcher = subprocess.Popen(
        argv, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=quiet, text=True
    )
    assert fetcher.stdin
    for name in names:
        plan = {"name": name, "served_name": name, "source": "repo", "options": {"repo": name}, "path": ""}
        fetcher.stdin.write(json.dumps({"key": name, "do": "fetch", "model": plan}) + "\n")
    fetcher.stdin.flush()
    return fetcher


def until_fetched(fetcher: subprocess.Popen[str], count: int) -> None:
    assert fetcher.stdout
    for line in fetcher.stdout:
        answer = json.loads(line)
        if answer["notice"] == "failed":
            raise SystemExit(f"{answer['message']} ({answer['hint']})")
        count -= answer["notice"] == "done"
        if not count:
            break
    fetcher.communicate(timeout=60)


def timed_fetch(names: Sequence[str], environ: dict[str, str]) -> float:
    begin = time.perf_counter()
    fetcher = start_fetcher(names, environ)
    until_fetched(fetcher, len(names))
    return time.perf_counter() - begin


def found_again(hub: LocalHub, folder: Path) -> SimpleNamespace:
    """Return how long ten finds and ten calls of snapshot_download take, and how many requests they make."""
    environ = machine(folder, hub.url)
    timed_fetch(NAMES, environ)
    commits = {name: hub.commit_of(name) for name in NAMES}
    source, host = SOURCES["repo"], Host.of(environ)
    options = [source.options(repo=name, revision=commit) for name, commit in commits.items()]

    from huggingface_hub import snapshot_download

    def ours() -> float:
        begin = time.perf_counter()
        complete = [source.find(each, host).complete for each in options]
        taken = time.perf_counter() - begin
        assert all(complete)
        return taken

    def theirs() -> float:
        begin = time.perf_counter()
        for name, commit in commits.items():
            snapshot_download(name, revision=commit, cache_dir=host.hub_cache, local_files_only=True)
        return time.perf_counter() - begin

    pinned = [f"{name}@{commit}" for name, commit in commits.items()]
    hub.bytes_sent()
    before = len(hub.requests)
    _, unchecked = paired(FINDS, ours, theirs)
    new = paired(
        PAIRS,
        lambda: timed([sys.executable, "-c", FIND, *pinned], environ),
        lambda: timed([sys.executable, "-c", LOOK, *pinned], environ),
    )
    hub.bytes_sent()
    requests = len(hub.requests) - before
    for name in NAMES:
        quietly([sys.executable, "-c", SERIAL, name], environ)  # it finds all, and keeps the listing
    finds, checked = paired(FINDS, ours, theirs)
    return SimpleNamespace(finds=finds, checked=checked, unchecked=unchecked, new=new, requests=requests)


def wanted_by_many(hub: LocalHub, root: Path, folder: Path) -> float:
    """Return bytes served ÷ size when eight processes want the same model at once."""
    size = sum(file.stat().st_size for file in (root / SHARED).iterdir())
    before = hub.bytes_sent()
    fetchers = [start_fetcher([SHARED], machine(folder, hub.url)) for _ in range(PROCESSES)]
    for fetcher in fetchers:
        until_fetched(fetcher, 1)
    return (hub.bytes_sent() - before) / size


def measured(work: Path) -> SimpleNamespace:
    root = work / "hub"
    for name, megabytes in zip(NAMES, MEGABYTES, strict=True):
        write_model(root, name, megabytes, parts=2 if megabytes * MB > 100 * MB else 1)
    hub = LocalHub(root)
    try:
        for name in NAMES:
            hub.commit_of(name)
        runs = Runs(hub)
        ways = (runs.with_envspec, runs.with_hf, runs.with_one_process)
        for way in ways:
            way()  # writes the .pyc files and fills the page cache of the hub
        fetched = paired(PAIRS, *ways)
        return SimpleNamespace(
            fetched=fetched, found=found_again(hub, work / "found"), many=wanted_by_many(hub, root, work / "many")
        )
    finally:
        hub.process.communicate("")


def small(values: Sequence[float]) -> str:
    """Write seconds as milliseconds with two digits behind the point: median (min-max)."""
    return f"{statistics.median(values) * 1000:.2f} ({min(values) * 1000:.2f}-{max(values) * 1000:.2f})"


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        it = measured(Path(name))
    ours, hf, one = it.fetched
    again, (new, new_theirs) = it.found, it.found.new
    quotient, found, faster = ratio(ours, hf), statistics.median(again.finds), ratio(again.finds, again.checked)
    rows = [
        ["1 GB, envspec, ms", ms(ours), "", ""],
        ["1 GB, `hf download` one after the other, ms", ms(hf), "", ""],
        ["1 GB, snapshot_download in one process, ms", ms(one), "", ""],
        ["envspec ÷ `hf download`, median of rounds", f"{quotient:.2f}", "≤ 0.60", verdict(quotient, 0.60)],
        ["envspec ÷ snapshot_download in one process", f"{ratio(ours, one):.2f}", "", ""],
        ["ten finds, ms", small(again.finds), "≤ 15", verdict(found, 0.015)],
        ["ten snapshot_download, ms", small(again.checked), "", ""],
        ["ten snapshot_download without its listing, ms", small(again.unchecked), "", ""],
        ["ten finds ÷ ten snapshot_download", f"{faster:.2f}", "< 1", verdict(faster, 0.99)],
        ["new process, ten finds, ms", ms(new), "", ""],
        ["new process, ten snapshot_download, ms", ms(new_theirs), "", ""],
        ["requests of all these", again.requests, "0", verdict(again.requests, 0)],
        [f"{PROCESSES} processes at once: bytes served ÷ size", f"{it.many:.3f}", "1", verdict(it.many, 1)],
    ]
    print("## Models\n")
    print(f"{(__doc__ or '').strip()}\n\n{PAIRS} rounds; milliseconds, median (min-max).\n")
    print(table(["what", "", "bound", ""], rows))


if __name__ == "__main__":
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    main()
