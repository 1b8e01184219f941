"""Whatever a hub, a line or a proxy does to a download, its end is the right bytes or one clear error."""

from __future__ import annotations

import random
import re
import time
from email.utils import formatdate
from pathlib import Path

import pytest

from envspec.errors import ModelUnavailableError
from envspec.models.hub import attempts
from envspec.models.source import Progress, Retrying
from tests.models.hub_machine import REPO, Machine

WEIGHTS = "model.safetensors"


@pytest.fixture(autouse=True)
def _brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait a tenth of what a user's download would."""
    monkeypatch.setattr(attempts, "FIRST_WAIT", attempts.FIRST_WAIT / 10)
    monkeypatch.setattr(attempts, "LONGEST_WAIT", attempts.LONGEST_WAIT / 10)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("where", ["/revision/", "/tree/", "/resolve/"])
def test_an_answer_that_may_pass_is_waited_out_and_told(machine: Machine, status: int, where: str) -> None:
    machine.publish()
    machine.hub.fail(status, times=3, on=where)
    assert machine.has_exactly(machine.fetch().path)
    told = [notice for notice in machine.notices if isinstance(notice, Retrying)]
    assert [f"HTTP {status}" in notice.reason for notice in told] == [True] * 3
    assert all(notice.seconds > 0 for notice in told)


def test_a_server_that_never_recovers_is_given_up_with_what_it_said(machine: Machine) -> None:
    machine.publish()
    machine.hub.fail(503, times=1000, on=WEIGHTS)
    with pytest.raises(
        ModelUnavailableError, match=rf"{REPO} cannot be had from {machine.url}: {WEIGHTS} was tried 7 times: HTTP 503"
    ) as caught:
        machine.fetch()
    assert "HF_ENDPOINT" in caught.value.hint


@pytest.mark.parametrize("form", ["seconds", "date", "rate-limit", "spaced-rate-limit"])
def test_the_wait_that_a_server_demands_is_kept(machine: Machine, form: str) -> None:
    machine.publish()
    # A date has whole seconds: of "in two seconds" at least one is left when it arrives.
    headers = {
        "seconds": {"Retry-After": "1"},
        "date": {"Retry-After": formatdate(time.time() + 2, usegmt=True)},
        "rate-limit": {"RateLimit": '"resolvers";r=0;t=1'},
        "spaced-rate-limit": {"RateLimit": '"resolvers"; r = 0; t = 1'},
    }[form]
    machine.hub.fail(429, on=WEIGHTS, headers=headers)
    begin = time.monotonic()
    machine.fetch()
    taken = time.monotonic() - begin
    (told,) = [notice for notice in machine.notices if isinstance(notice, Retrying)]
    assert told.seconds > 0.5
    assert taken >= told.seconds


def test_a_demand_to_wait_for_hours_is_an_error_at_once(machine: Machine) -> None:
    machine.publish()
    machine.hub.fail(429, on=WEIGHTS, headers={"Retry-After": "7200"})
    with pytest.raises(ModelUnavailableError, match="asks to wait 7200 s"):
        machine.fetch()


def test_a_cut_body_goes_on_where_it_broke_off(machine: Machine) -> None:
    machine.publish(6)
    for _ in range(2):
        machine.hub.spoil(WEIGHTS, cut=2_000_000)
    assert machine.has_exactly(machine.fetch().path)
    assert [request.range for request in machine.hub.gets(WEIGHTS)] == ["", "bytes=2000000-", "bytes=4000000-"]
    assert machine.hub.bytes_of_files() == sum(f.stat().st_size for f in (machine.hub.root / REPO).iterdir())
    assert len(machine.reasons) == 2
    assert "the connection was cut at byte 2,000,000" in machine.reasons[0]


def test_a_mirror_that_knows_no_ranges_sends_the_file_from_its_start(machine: Machine) -> None:
    machine.publish(6)
    machine.hub.ranges = False
    machine.hub.spoil(WEIGHTS, cut=2_000_000)
    assert machine.has_exactly(machine.fetch().path)
    assert all(request.status == 200 for request in machine.hub.gets(WEIGHTS))


def test_a_stalled_body_is_left_and_asked_for_again(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DOWNLOAD_TIMEOUT", 0.3)
    machine.publish(6)
    machine.hub.spoil(WEIGHTS, stall=3_000_000)
    assert machine.has_exactly(machine.fetch().path)
    assert [request.range for request in machine.hub.gets(WEIGHTS)] == ["", "bytes=3000000-"]
    assert "no byte came" in machine.reasons[0]


def test_a_stalled_list_of_files_does_not_wait_for_ever(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("envspec.models.hub.transport.STALL", 0.3)
    machine.publish()
    tries: list[str] = []

    def stall(path: str) -> None:
        if "/tree/" in path and len(tries) < 1:
            tries.append(path)
            machine.hub.stopping.wait(1)

    machine.hub.before = stall
    assert machine.has_exactly(machine.fetch().path)
    assert "no byte came" in machine.reasons[0]


def test_a_body_that_never_gets_anywhere_is_given_up(machine: Machine) -> None:
    machine.publish(2)
    machine.hub.spoil(WEIGHTS, times=1000, cut=0)
    with pytest.raises(ModelUnavailableError, match=r"was tried 7 times: the connection was cut at byte 0"):
        machine.fetch()
    assert len(machine.hub.gets(WEIGHTS)) == 7


def test_changed_bytes_are_noticed_and_fetched_again(machine: Machine) -> None:
    machine.publish(2)
    machine.hub.spoil(WEIGHTS, times=2, flip=1_000_000)
    machine.hub.spoil("config.json", times=1, flip=5)
    assert machine.has_exactly(machine.fetch().path)
    assert len(machine.hub.gets(WEIGHTS)) == 3
    assert sum("has the SHA-256" in reason for reason in machine.reasons) == 2


def test_bytes_that_stay_wrong_are_an_error_and_nothing_of_them_is_kept(machine: Machine) -> None:
    machine.publish(2)
    machine.hub.spoil(WEIGHTS, times=1000, flip=1_000_000)
    with pytest.raises(ModelUnavailableError, match=rf"{WEIGHTS} of {REPO} came wrong 3 times"):
        machine.fetch()
    assert len(machine.hub.gets(WEIGHTS)) == 3
    assert not list(machine.repo.rglob(WEIGHTS))
    assert all(blob.stat().st_size < 1000 for blob in (machine.repo / "blobs").iterdir())


def test_a_size_that_is_not_as_listed_is_an_error(machine: Machine) -> None:
    machine.publish(2)
    machine.hub.listed_sizes[WEIGHTS] = 1_999_999
    with pytest.raises(ModelUnavailableError, match="has 2,000,000 bytes where 1,999,999 belong"):
        machine.fetch()


def test_a_content_network_serves_the_files_resumes_them_and_never_sees_the_token(machine: Machine) -> None:
    machine.publish(6)
    machine.hub.content_network = True
    machine.hub.token = machine.extra["HF_TOKEN"] = "hf_secret"
    for _ in range(2):
        machine.hub.spoil("/" + WEIGHTS, cut=2_000_000)
    assert machine.has_exactly(machine.fetch().path)
    elsewhere = [request for request in machine.hub.requests if request.path.startswith("/content/")]
    assert [request.range for request in elsewhere] == ["", "bytes=2000000-", "bytes=4000000-"]
    assert not any(request.has_token for request in elsewhere)
    assert all(request.has_token for request in machine.hub.requests if request not in elsewhere)
    assert machine.reasons[0] == f"{WEIGHTS}: the connection was cut at byte 2,000,000"


def test_progress_ends_with_all_bytes_and_never_beyond(machine: Machine) -> None:
    machine.publish(5, parts=3)
    machine.hub.spoil("model-00001-of-00003.safetensors", flip=0)
    machine.fetch()
    told = [notice for notice in machine.notices if isinstance(notice, Progress)]
    total = sum(file.stat().st_size for file in (machine.hub.root / REPO).iterdir())
    assert told[-1] == Progress(total, total)
    assert all(0 <= notice.done <= total for notice in told)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_fifty_random_faults_in_a_row_end_in_the_right_bytes_or_one_clear_error(machine: Machine, seed: int) -> None:
    machine.publish(300, parts=6)
    dice = random.Random(seed)
    parts = [f"model-{part:05}-of-00006.safetensors" for part in range(1, 7)]
    for _ in range(50):
        kind, name = dice.choice(["cut", "cut", "cut", "status", "status", "flip"]), dice.choice(parts)
        if kind == "status":
            machine.hub.fail(dice.choice([429, 500, 503]), on=name)
        else:
            machine.hub.spoil(name, **{kind: dice.randrange(50_000_000)})
    error = ""
    while any(fault.times for fault in machine.hub.faults):
        try:
            found = machine.fetch()
        except ModelUnavailableError as refused:
            error = str(refused)
            assert re.search(r"came wrong 3 times|was tried 7 times", error)
        else:
            assert machine.has_exactly(found.path)
            break
        blobs = [path for path in (machine.repo / "blobs").iterdir() if path.stat().st_size >= 50_000_000]
        assert all(path.name in _digests(machine) for path in blobs), f"a corrupt file was kept after: {error}"
    assert machine.has_exactly(machine.fetch().path)


def _digests(machine: Machine) -> set[str]:
    files = machine.hub.files(REPO, machine.hub.commit(REPO))
    return {entry.sha256 for entry in files.values()}


def test_the_folder_of_a_failed_download_is_not_found(machine: Machine) -> None:
    machine.publish()
    machine.hub.fail(500, times=1000, on=WEIGHTS)
    with pytest.raises(ModelUnavailableError):
        machine.fetch()
    commit = machine.hub.commit(REPO)
    assert Path(machine.find(revision=commit).path, "config.json").exists()
    assert not machine.find(revision=commit).complete
