"""A model's directory is made whole or not at all, by one process, while others wait."""

from __future__ import annotations

import errno
import multiprocessing
import os
import subprocess
import sys
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from envspec.errors import ModelUnavailableError
from envspec.models.source import Notice, Waiting
from envspec.models.staging import make_once
from envspec.models.synthetic import Synthetic, cached_path, is_complete, make

FORK = multiprocessing.get_context("fork")


def has_files(path: Path) -> bool:
    return (path / "first").exists() and (path / "second").exists()


def write_files(path: Path) -> None:
    (path / "first").write_text("1")
    (path / "second").write_text("2")


def contender(path: Path, log: Path, start: Connection) -> None:
    def write(staged: Path) -> None:
        with log.open("a") as file:
            file.write(f"{os.getpid()}\n")
        write_files(staged)

    start.recv()
    make_once(path, has_files, write)
    os._exit(0 if has_files(path) else 1)


def test_of_many_makers_at_once_one_makes_and_all_have_it(tmp_path: Path) -> None:
    log, path = tmp_path / "log", tmp_path / "models" / "tiny"
    pipes = [FORK.Pipe() for _ in range(8)]
    processes = [FORK.Process(target=contender, args=(path, log, theirs)) for _, theirs in pipes]
    for process in processes:
        process.start()
    for ours, _ in pipes:
        ours.send("go")
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 8
    assert len(log.read_text().splitlines()) == 1


def test_who_waits_tells_for_whom(tmp_path: Path) -> None:
    script = f"""
import sys
from pathlib import Path
from envspec.models.staging import make_once
def write(path):
    print("halfway", flush=True)
    sys.stdin.read()
    for name in ("first", "second"):
        (path / name).touch()
make_once(Path({str(tmp_path / "tiny")!r}), lambda path: False, write)
"""
    told: list[Notice] = []
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == b"halfway\n"
        stdin = process.stdin

        def tell(notice: Notice) -> None:
            told.append(notice)
            stdin.close()

        made = make_once(tmp_path / "tiny", has_files, write_files, tell)

    (notice,) = told
    assert isinstance(notice, Waiting)
    assert notice.holder.startswith(f"pid {process.pid} (")
    assert not made


def test_nothing_is_there_when_making_fails_halfway(tmp_path: Path) -> None:
    def fill_the_disk(path: Path) -> None:
        (path / "first").write_text("1")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "tiny"
    with pytest.raises(ModelUnavailableError, match=f"{path}: No space left on device") as caught:
        make_once(path, has_files, fill_the_disk)
    assert "ENVSPEC_CACHE_DIR" in caught.value.hint
    assert [entry.name for entry in tmp_path.iterdir()] == [".tiny.lock"]


def test_a_maker_that_is_killed_leaves_nothing_that_the_next_would_take_for_whole(tmp_path: Path) -> None:
    script = f"""
import sys
from pathlib import Path
from envspec.models.source import Notice, Waiting
from envspec.models.staging import make_once
def write(path):
    (path / "first").write_text("1")
    print("halfway", flush=True)
    sys.stdin.read()
make_once(Path({str(tmp_path / "tiny")!r}), lambda path: False, write)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"halfway\n"
        process.kill()
    assert not (tmp_path / "tiny").exists()
    make_once(tmp_path / "tiny", has_files, write_files)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [".tiny.lock", "tiny"]


def test_an_incomplete_directory_is_replaced(tmp_path: Path) -> None:
    options = Synthetic(architecture="qwen3")
    path = cached_path(options, tmp_path)
    path.mkdir(parents=True)
    (path / "stray").write_text("left by somebody")
    make(options, path)
    assert is_complete(path)
    assert not (path / "stray").exists()


def test_a_complete_directory_is_left_alone(tmp_path: Path) -> None:
    def write(_path: Path) -> None:
        pytest.fail("there was nothing to make")

    make_once(tmp_path / "tiny", has_files, write_files)
    make_once(tmp_path / "tiny", has_files, write)


def test_a_cache_that_is_not_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(ModelUnavailableError, match="cannot be written"):
        make(Synthetic(architecture="qwen3"), cached_path(Synthetic(architecture="qwen3"), tmp_path / "cache"))


def test_other_users_can_read_the_model(tmp_path: Path) -> None:
    make_once(tmp_path / "tiny", has_files, write_files)
    assert (tmp_path / "tiny").stat().st_mode & 0o777 == 0o755
