"""What a hub, a token or a disk refuses is one sentence, and what to do about it."""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from envspec.errors import ModelUnavailableError
from envspec.models.hub.room import room_for
from envspec.models.source import Host
from tests.models.hub_machine import FETCH, REPO, Machine


def refusal(machine: Machine, **options: object) -> tuple[str, str]:
    with pytest.raises(ModelUnavailableError) as caught:
        machine.fetch(**options)
    message = str(caught.value)
    assert "\n" not in message
    return message, caught.value.hint


def test_a_gated_model(machine: Machine) -> None:
    machine.publish()
    machine.hub.gated.add(REPO)
    message, hint = refusal(machine)
    assert message == f"{REPO} is gated: the hub gives its files only to accounts that have accepted its terms"
    assert f"{machine.url}/{REPO}" in hint
    assert "HF_TOKEN" in hint


def test_a_model_that_does_not_exist(machine: Machine) -> None:
    message, hint = refusal(machine, repo="org/typo")
    assert message.startswith(f"{machine.url} has no model org/typo")
    assert "check the name" in hint


def test_a_file_that_is_listed_and_not_there(machine: Machine) -> None:
    machine.publish()
    machine.hub.fail(404, times=99, on="model.safetensors")
    message, hint = refusal(machine)
    assert message == f"{REPO} lists model.safetensors, and the hub does not have it"
    assert "exclude: ['model.safetensors']" in hint


def test_a_private_model_without_a_token(machine: Machine) -> None:
    machine.publish()
    machine.hub.token = "hf_right"
    message, hint = refusal(machine, token_env="ACME_TOKEN")
    assert (
        message
        == f"{machine.url} has no model {REPO}, or none that can be seen without a token (ACME_TOKEN is not set)"
    )
    assert "set ACME_TOKEN" in hint


def test_a_token_that_is_not_accepted(machine: Machine) -> None:
    machine.publish()
    machine.hub.token = "hf_right"
    machine.extra["ACME_TOKEN"] = "hf_wrong"
    message, hint = refusal(machine, token_env="ACME_TOKEN")
    assert message == f"the hub does not accept the token in ACME_TOKEN for {REPO}"
    assert "/settings/tokens" in hint
    assert "hf_wrong" not in message + hint


def test_the_token_of_token_env_opens_a_private_model(machine: Machine) -> None:
    machine.publish()
    machine.hub.token = machine.extra["ACME_TOKEN"] = "hf_right"
    assert machine.has_exactly(machine.fetch(token_env="ACME_TOKEN").path)


@pytest.mark.parametrize("revision", ["release-2", "0" * 40])
def test_a_revision_that_does_not_exist(machine: Machine, revision: str) -> None:
    machine.publish()
    message, hint = refusal(machine, revision=revision)
    assert message == f"{REPO} has no revision {revision!r}"
    assert "branches and tags" in hint


def test_a_name_that_is_none(machine: Machine) -> None:
    message, hint = refusal(machine, repo="org/na me", revision="0" * 40)
    assert message == "'org/na me' is no name of a repository"
    assert hint == "write it as org/name"


def test_a_hub_that_nobody_answers_for(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("envspec.models.hub.attempts.FIRST_WAIT", 0.01)
    machine.url = "http://127.0.0.1:9"
    message, hint = refusal(machine)
    assert message.startswith(f"{REPO} cannot be had from http://127.0.0.1:9: the revision was tried 7 times: ")
    assert "refused" in message
    assert "HF_HUB_OFFLINE=1" in hint


def test_an_address_that_is_no_hub(machine: Machine) -> None:
    machine.publish()
    machine.hub.fail(200, on="/revision/")
    message, hint = refusal(machine)
    assert message == f"{machine.url} does not answer as a hub when asked for {REPO}"
    assert "HF_ENDPOINT" in hint


@pytest.mark.parametrize(
    ("token", "what_to_do"),
    [("", "set HF_TOKEN to a token that may read it"), ("hf_some", "let the token in HF_TOKEN read it")],
)
def test_a_plain_403(machine: Machine, token: str, what_to_do: str) -> None:
    machine.publish()
    machine.extra["HF_TOKEN"] = token
    machine.hub.fail(403, on="/revision/")
    message, hint = refusal(machine)
    assert message == f"the hub forbids {REPO}: HTTP 403 trouble"
    assert hint == f"{what_to_do} ({machine.url}/settings/tokens); a proxy on the way may forbid it, too"


def test_a_plain_400(machine: Machine) -> None:
    machine.publish()
    machine.hub.fail(400, on="/revision/")
    message, hint = refusal(machine, revision="dev")
    assert message == f"the hub takes the request for {REPO} at 'dev' to be wrong: HTTP 400 trouble"
    assert hint.startswith(f"check `repo` and `revision` at {machine.url}/{REPO}; HF_ENDPOINT")


def test_a_proxys_page_is_not_repeated(machine: Machine) -> None:
    machine.publish()
    machine.hub.fail(403, on="/revision/", headers={"X-Error-Message": "<html><body>Blocked</body></html>"})
    assert refusal(machine)[0] == f"the hub forbids {REPO}: HTTP 403 Forbidden"


def test_what_a_server_says_is_repeated_on_one_line_and_in_part(machine: Machine) -> None:
    machine.publish()
    machine.hub.fail(403, on="/revision/", headers={"X-Error-Message": "no " * 1000})
    assert len(refusal(machine)[0]) < 300


def test_a_disk_without_room_is_told_before_the_first_byte(machine: Machine) -> None:
    machine.publish()
    machine.host.hub_cache.parent.mkdir()
    machine.hub.listed_sizes["model.safetensors"] = 161 * 10**12
    message, hint = refusal(machine)
    assert re.fullmatch(rf"{REPO} needs 161(\.00)? TB, [\d.]+ .B are free in {machine.folder}/hf.*", message)
    assert "HF_HUB_CACHE" in hint
    assert machine.hub.gets() == []


def test_room_that_another_download_will_take_is_not_free(tmp_path: Path) -> None:
    left = [2 * shutil.disk_usage(tmp_path).free]  # so that it stays too much whatever others remove meanwhile
    with room_for(0, tmp_path, "org/first", lambda: left[0]):
        refused = room_for(2**20, tmp_path, "org/second", lambda: 0)
        with pytest.raises(ModelUnavailableError, match=r"org/second needs 1\.05 MB.* of which org/first will take"):
            refused.__enter__()
        left[0] = 0
        with room_for(2**20, tmp_path, "org/second", lambda: 0):
            pass


def test_a_disk_that_fills_up_meanwhile(machine: Machine) -> None:
    """A limit on the size of files stands for the disk: it cannot be foreseen either."""
    machine.publish(3)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))

    argv = [sys.executable, "-c", FETCH, f'{{"repo": "{REPO}"}}']
    done = subprocess.run(
        argv,
        env=machine.environ,
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"{REPO} cannot be written to {machine.host.hub_cache}: the disk is full | make room" in done.stderr
    assert not list(machine.repo.glob("blobs/*.incomplete"))


def test_a_cache_that_is_no_directory(machine: Machine) -> None:
    machine.publish()
    (machine.folder / "hf").write_text("a file")
    message, hint = refusal(machine)
    assert message.startswith(f"{REPO} cannot be written to {machine.host.hub_cache}: Not a directory")
    assert "HF_HUB_CACHE" in hint


@pytest.mark.parametrize(
    ("cache", "why"),
    [("/proc/x", "No such file or directory"), ("/dev/null/x", "Not a directory"), (f"/{'x' * 300}", "name too long")],
)
def test_a_cache_that_cannot_be_made_is_told_before_the_hub_lists_anything(
    machine: Machine, cache: str, why: str
) -> None:
    machine.publish()
    machine.extra["HF_HUB_CACHE"] = cache
    message, hint = refusal(machine)
    assert message.startswith(f"{REPO} cannot be written to {cache}: ")
    assert message.endswith(why)
    assert hint.startswith("set HF_HUB_CACHE to a directory that can be made and written")
    assert not [request for request in machine.hub.requests if "/tree/" in request.path]


@pytest.mark.parametrize("name", ["HF_HUB_CACHE", "HF_HOME"])
def test_the_home_of_nobody_is_a_name_like_any_as_for_the_hubs_client(name: str) -> None:
    there = Host.of({name: "~nobody-of-that-name/x"}).hub_cache
    assert there.is_relative_to(Path("~nobody-of-that-name/x").absolute())


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
def test_a_read_only_cache(machine: Machine) -> None:
    machine.publish()
    (machine.folder / "hf").mkdir(mode=0o500)
    message, _ = refusal(machine)
    assert "Permission denied" in message


def test_a_complete_cache_that_cannot_be_written_serves(machine: Machine) -> None:
    """Neither the lock nor the manifest nor the branch has a place there."""
    from huggingface_hub import snapshot_download

    machine.publish()
    snapshot_download(REPO, cache_dir=machine.host.hub_cache, endpoint=machine.url)
    locks = machine.host.hub_cache / ".locks"
    if locks.exists():
        locks.rename(machine.folder / "locks")
    locks.write_text("not to be written")
    commit = machine.hub.commit(REPO)
    machine.hub.requests.clear()

    assert machine.fetch(revision=commit).complete
    assert machine.find(revision=commit).complete
    assert list((machine.host.own_cache / "models" / "locks").iterdir())


def test_neither_cache_can_be_locked(machine: Machine) -> None:
    machine.publish()
    for name in ("hf", "own"):
        (machine.folder / name).write_text("a file")
    message, hint = refusal(machine)
    assert "no lock can be had" in message
    assert "ENVSPEC_CACHE_DIR" in hint


def test_a_refusal_does_not_wait_for_what_another_file_may_become(machine: Machine) -> None:
    machine.publish()
    machine.hub.fail(403, times=99, on="config.json")
    machine.hub.fail(429, times=99, on="model.safetensors", headers={"Retry-After": "500"})
    message, _ = refusal(machine)
    assert "403" in message or "may read" in message or "gated" in message


def test_a_repository_of_pointers_is_refused_by_the_names_of_the_files(machine: Machine) -> None:
    folder = machine.publish()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 10000\n"
    (folder / "model.safetensors").write_text(pointer)
    for offline in ("0", "1"):
        machine.extra["HF_HUB_OFFLINE"] = offline
        with pytest.raises(
            ModelUnavailableError, match=r"no more than a pointer of Git LFS as model\.safetensors"
        ) as caught:
            machine.fetch(revision=machine.hub.commit(REPO))
        assert "`git lfs pull`" in caught.value.hint
    assert not machine.find(revision=machine.hub.commit(REPO)).complete
    machine.extra["HF_HUB_OFFLINE"] = "0"
    assert machine.fetch(tokenizer_only=True).complete
