"""A state directory that cannot be used is said before anything is started."""

from __future__ import annotations

import errno
import json
import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from envspec.errors import ResourceError, ServiceExitedError, StateDirectoryError
from envspec.models.places import own_cache
from envspec.plan import events as e
from envspec.session import registry, state
from envspec.session.state import RECORD, state_directory
from tests.session.running import Bench

SLEEPER = "services: {web: {command: [sleep, '100']}}"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a megabyte and a half: a tmpfs, since nothing else can be had without a device."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1536k", "tmpfs", place], check=False)
    if mounted.returncode != 0:
        pytest.skip("no file system may be mounted here")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def _fill(disk: Path) -> None:
    with (disk / "ballast").open("wb", buffering=0) as ballast, suppress(OSError):
        while True:
            ballast.write(b"x" * 512)


def _refused(bench: Bench) -> StateDirectoryError:
    session = bench.session(SLEEPER)
    error = session.fails()
    assert isinstance(error, StateDirectoryError)
    assert error.exit_code == 3
    assert "ENVSPEC_STATE_DIR" in error.hint
    assert [type(event) for event in session.events] == [e.SessionFailed]
    return error


def test_a_disk_that_is_nearly_full(bench: Bench, small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVSPEC_STATE_DIR", str(small_disk / "state"))
    (small_disk / "ballast").write_bytes(b"x" * 2**20)
    assert "are free on its file system" in str(_refused(bench))


def test_a_disk_that_is_full_to_the_last_byte(bench: Bench, small_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVSPEC_STATE_DIR", str(small_disk / "state"))
    _fill(small_disk)
    assert str(small_disk) in str(_refused(bench))


def test_a_disk_that_fills_while_services_run_does_not_bring_the_session_down(
    bench: Bench, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENVSPEC_STATE_DIR", str(small_disk / "state"))
    session = bench.session(SLEEPER).up()
    _fill(small_disk)
    for _ in range(50):
        session.background.fault("pause", "web")
        session.background.fault("resume", "web")
    warned = [event.message for event in session.of(e.Warned)]
    assert warned == ["events are no longer written to disk: No space left on device"]
    session.stop()
    assert session.background.status().state == "stopped"


def test_a_disk_that_fills_while_a_service_starts_is_told_with_its_failure(
    bench: Bench, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENVSPEC_STATE_DIR", str(small_disk / "state"))
    session = bench.session(
        """
        services:
          web:
            shell: until [ -e $BENCH/full ]; do sleep 0.02; done; exec head -c 9000000 /dev/zero
            health: [{exec: {command: ["false"]}}]
        """
    ).begin()
    session.wait(e.ReplicaSpawned)
    bench.touch("full")
    session.join()
    error = session.error
    assert isinstance(error, ServiceExitedError)
    assert f"before it was healthy; the disk that holds {small_disk}/state is full: 0 KiB free" in str(error)
    assert "point ENVSPEC_STATE_DIR at another disk" in error.hint


def test_a_disk_that_is_full_when_a_service_is_lost_is_told_with_the_loss(
    bench: Bench, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENVSPEC_STATE_DIR", str(small_disk / "state"))
    flood = "until [ -e $BENCH/full ]; do sleep 0.02; done; exec head -c 9000000 /dev/zero"
    session = bench.session(f"services: {{web: {{shell: '{flood}'}}}}").up()
    bench.touch("full")
    sentence = session.wait(e.SessionDegraded).message.splitlines()[0]
    assert sentence.endswith(f"after its start; the disk that holds {small_disk}/state is full: 0 KiB free")


def test_a_disk_that_is_full_when_a_service_starts_again_is_told_with_its_name(
    bench: Bench, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENVSPEC_STATE_DIR", str(small_disk / "state"))
    again = "services: {other: {command: [sleep, '100']}, web: {command: [sleep, '100'], restart: {on: failure}}}"
    session = bench.session(again).up()
    _fill(small_disk)
    session.background.fault("kill", "web")
    sentence = session.wait(e.SessionDegraded, replica="web").message
    assert sentence.startswith(f"web: cannot write {session.background.status().dir}/")
    assert session["web"].message == sentence


def test_ended_sessions_make_room_for_a_new_one(
    bench: Bench, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENVSPEC_STATE_DIR", str(small_disk / "state"))
    first = bench.session(SLEEPER).up()
    first.stop()
    directory = Path(first.background.status().dir)
    (directory / "logs" / "web.log").write_bytes(b"x" * 2**20)
    bench.session(SLEEPER).up().stop()
    assert not directory.exists()


def _end_unwritten(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run a session that has no room to write down its end, and return its directory."""
    session = bench.session(SLEEPER).up()
    directory = Path(session.background.status().dir)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(state, "write_json", full)
        session.stop()
    assert json.loads((directory / RECORD).read_text())["ended"] is None
    return directory


def test_a_session_whose_end_could_not_be_written_makes_room_as_well(
    bench: Bench, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENVSPEC_STATE_DIR", str(small_disk / "state"))
    directory = _end_unwritten(bench, monkeypatch)
    (directory / "logs" / "web.log").write_bytes(b"x" * 2**20)
    bench.session(SLEEPER).up().stop()
    assert not directory.exists()


def test_a_session_whose_end_could_not_be_written_counts_as_one_that_has_ended(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = _end_unwritten(bench, monkeypatch)
    assert registry.sessions() == []
    assert [entry.directory for entry in registry.ended()] == [directory]


@needs_root
@pytest.mark.parametrize("place", [".", "sessions"])
def test_a_directory_of_somebody_else(bench: Bench, place: str) -> None:
    (bench.state / "sessions").mkdir(parents=True)
    os.chown(bench.state / place, 12345, 12345)
    assert "it belongs to user 12345" in str(_refused(bench))


def test_a_directory_that_others_may_write_to(bench: Bench) -> None:
    bench.state.mkdir()
    bench.state.chmod(0o777)
    assert "others may write to it (mode 0777)" in str(_refused(bench))


def test_a_directory_that_others_may_read_has_sessions_that_they_may_not(bench: Bench) -> None:
    bench.state.mkdir(mode=0o755)
    bench.session(SLEEPER).up()
    assert bench.state.stat().st_mode & 0o777 == 0o755
    assert (bench.state / "sessions").stat().st_mode & 0o077 == 0


def test_the_default_directory_is_made_private(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ENVSPEC_STATE_DIR")
    monkeypatch.setenv("XDG_STATE_HOME", str(bench.path))
    (bench.path / "envspec").mkdir(mode=0o755)
    bench.session(SLEEPER).up()
    assert (bench.path / "envspec").stat().st_mode & 0o077 == 0


def test_a_file_where_the_directory_should_be(bench: Bench) -> None:
    bench.state.write_text("")
    assert str(bench.state) in str(_refused(bench))


def test_a_read_only_place(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVSPEC_STATE_DIR", "/proc/envspec")
    assert "/proc/envspec" in str(_refused(bench))


def test_where_things_are_kept(bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert state_directory() == bench.state
    monkeypatch.delenv("ENVSPEC_STATE_DIR")
    monkeypatch.delenv("ENVSPEC_CACHE_DIR")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert state_directory() == tmp_path / ".local" / "state" / "envspec"
    assert own_cache(os.environ) == tmp_path / ".cache" / "envspec"
    monkeypatch.setenv("XDG_STATE_HOME", "/xdg/state")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg/cache")
    assert state_directory() == Path("/xdg/state/envspec")
    assert own_cache(os.environ) == Path("/xdg/cache/envspec")
    monkeypatch.setenv("XDG_STATE_HOME", "xdg/state")  # to be ignored, says the XDG Base Directory Specification
    assert state_directory() == tmp_path / ".local" / "state" / "envspec"


def test_what_envspec_writes_of_a_session_is_for_its_user_alone_whatever_the_umask(bench: Bench) -> None:
    before = os.umask(0)
    try:
        session = bench.session("services: {web: {command: [sleep, '100']}}").up()
    finally:
        os.umask(before)
    directory = Path(session.background.status().dir)
    written = [*directory.iterdir(), *(directory / "logs").iterdir()]
    open_to_others = {path.name for path in written if path.lstat().st_mode & 0o077}

    assert not open_to_others


def test_a_lack_of_descriptors_is_not_taken_for_a_fault_of_the_directory(tmp_path: Path) -> None:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    with pytest.raises(ResourceError) as caught, state.usable(tmp_path):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), str(tmp_path))
    assert str(caught.value) == f"envspec has no file descriptor left: this process may have {limit}"
    assert caught.value.hint == "raise the limit (`ulimit -n`)"
