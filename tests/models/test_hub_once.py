"""One download per machine, whoever asks, and whoever is killed meanwhile."""

from __future__ import annotations

import fcntl
import os
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from envspec.models.hub.leftovers import remove_leftovers
from tests.models.hub_machine import REPO, Machine

WEIGHTS = "model.safetensors"


def size_of(machine: Machine) -> int:
    return sum(file.stat().st_size for file in (machine.hub.root / REPO).iterdir())


def wait_for(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(0.01)


def ended(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out


def test_of_eight_processes_at_once_one_downloads_and_all_have_it(machine: Machine) -> None:
    machine.publish(20, parts=2)
    outputs = [ended(process) for process in [machine.start_fetch() for _ in range(8)]]
    assert len({output.splitlines()[-1] for output in outputs}) == 1
    assert machine.has_exactly(outputs[0].splitlines()[-1])
    assert machine.hub.bytes_of_files() == size_of(machine)


def test_of_eight_threads_at_once_one_downloads(machine: Machine) -> None:
    machine.publish(20, parts=2)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: machine.fetch(), range(8)))
    assert len(set(found)) == 1
    assert machine.hub.bytes_of_files() == size_of(machine)


def test_when_the_downloader_is_killed_one_of_those_who_wait_goes_on_at_once(machine: Machine) -> None:
    machine.publish(20)
    machine.hub.spoil(WEIGHTS, stall=5_000_000)
    first = machine.start_fetch()
    wait_for(lambda: list(machine.repo.glob("blobs/*.incomplete")), "the first to begin")
    others = [machine.start_fetch() for _ in range(3)]
    try:
        for other in others:
            assert other.stdout
            assert f"Waiting(holder='pid {first.pid} (" in other.stdout.readline()
    finally:
        first.kill()
        first.communicate()
    paths = [ended(other).splitlines()[-1] for other in others]
    assert len(set(paths)) == 1
    assert machine.has_exactly(paths[0])
    assert len(machine.hub.gets(WEIGHTS)) == 2, "the killed one's, and one more"
    assert not list(machine.repo.glob("blobs/*.incomplete"))


def test_the_partial_file_of_a_killed_download_is_not_taken_for_the_model(machine: Machine) -> None:
    machine.publish(20)
    machine.hub.spoil(WEIGHTS, stall=19_999_999)
    first = machine.start_fetch()
    wait_for(lambda: list(machine.repo.glob("blobs/*.incomplete")), "the download to begin")
    first.kill()
    first.communicate()
    assert not machine.find(revision=machine.hub.commit(REPO)).complete
    assert machine.has_exactly(machine.fetch().path)


@pytest.mark.parametrize("locked", [True, False], ids=["somebody-writes-it", "its-writer-is-dead"])
def test_leftovers_are_removed_unless_somebody_writes_them(tmp_path: Path, *, locked: bool) -> None:
    repo = tmp_path / "hub" / "models--org--tiny"
    partial = repo / "blobs" / "abc.12345678.incomplete"
    lock = tmp_path / "hub" / ".locks" / repo.name / "abc.lock"
    for path in (partial, lock):
        path.parent.mkdir(parents=True)
    partial.write_bytes(bytes(1000))
    whole = partial.with_name("abc")
    whole.write_bytes(b"whole")
    with lock.open("w") as file:
        if locked:
            fcntl.flock(file, fcntl.LOCK_EX)
        assert remove_leftovers(repo) == (0 if locked else 1000)
    assert partial.exists() == locked
    assert whole.exists()


def test_on_a_disk_of_several_machines_leftovers_rest_a_day_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("envspec.models.hub.leftovers._LOCAL", frozenset())
    blobs = tmp_path / "models--org--tiny" / "blobs"
    blobs.mkdir(parents=True)
    fresh, old = blobs / "abc.1.incomplete", blobs / "abd.1.incomplete"
    for path in (fresh, old):
        path.write_bytes(b"part")
    two_days_ago = time.time() - 2 * 86400
    os.utime(old, (two_days_ago, two_days_ago))
    remove_leftovers(blobs.parent)
    assert [path.name for path in blobs.iterdir()] == [fresh.name]


def test_what_other_programs_download_meanwhile_is_not_fetched_twice(machine: Machine) -> None:
    """huggingface_hub's own lock on a blob is honoured by both sides."""
    from huggingface_hub import snapshot_download

    machine.publish(20)
    other = threading.Thread(
        target=snapshot_download, args=(REPO,), kwargs={"cache_dir": machine.host.hub_cache, "endpoint": machine.url}
    )
    other.start()
    found = machine.fetch()
    other.join()
    assert machine.has_exactly(found.path)
    assert len(machine.hub.gets(WEIGHTS)) == 1
