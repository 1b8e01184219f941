"""Where events go: to memory, to disk, to whoever listens, and never with a secret in them."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from envspec.plan import events as e
from envspec.plan.plan import Plan
from envspec.session import event_log
from envspec.session.event_log import EventLog


def test_late_subscribers_hear_what_has_been_and_what_comes() -> None:
    log = EventLog()
    log.record(e.Warned(message="first"))
    heard: list[e.Event] = []
    leave = log.subscribe(heard.append)
    log.record(e.Warned(message="second"))
    leave()
    log.record(e.Warned(message="third"))
    assert [event.message for event in heard if isinstance(event, e.Warned)] == ["first", "second"]


def test_the_file_has_all_events_also_those_before_it_was_there(tmp_path: Path) -> None:
    log = EventLog()
    log.record(e.Warned(message="first"))
    log.open(tmp_path / "events.jsonl")
    log.record(e.Warned(message="zweite \N{SNOWMAN}"), at=log.begin + 1.5)
    lines = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert [line["message"] for line in lines] == ["first", "zweite \N{SNOWMAN}"]
    assert lines[1]["at"] == 1.5
    log.close()


def test_texts_that_are_no_unicode_are_written_all_the_same(tmp_path: Path) -> None:
    log = EventLog()
    log.open(tmp_path / "events.jsonl")
    log.record(e.ReplicaSpawned(replica="web", pid=1, argv=("serve", "f\udcffle")))
    log.close()
    assert json.loads((tmp_path / "events.jsonl").read_text())["argv"][0] == "serve"


def test_secrets_are_masked_wherever_they_stand(tmp_path: Path) -> None:
    log = EventLog({"API_TOKEN": "abcdefgh", "PLAIN": "visible1", "SHORT_KEY": "abc"})
    heard: list[e.Event] = []
    log.subscribe(heard.append)
    log.open(tmp_path / "events.jsonl")
    log.record(e.ReplicaSpawned(replica="web", pid=1, argv=("serve", "--token=abcdefgh", "visible1", "abc")))
    log.hide(Plan("env", "f", "/", "/", "", (), secret_vars=("ijklmnop",)))
    log.record(e.Warned(message="it said ijklmnop"))
    assert isinstance(heard[0], e.ReplicaSpawned)
    assert heard[0].argv == ("serve", "--token=***", "visible1", "abc")
    text = (tmp_path / "events.jsonl").read_text()
    assert "abcdefgh" not in text
    assert "ijklmnop" not in text
    log.close()


def test_a_password_that_is_called_like_a_service_does_not_hide_the_service() -> None:
    log = EventLog({"DB_PASSWORD": "postgres"})
    heard: list[e.Event] = []
    log.subscribe(heard.append)
    log.record(e.ReplicaSpawned(replica="postgres", pid=1, argv=("serve", "--password", "postgres")))
    assert isinstance(heard[0], e.ReplicaSpawned)
    assert heard[0].replica == "postgres"
    assert heard[0].argv == ("serve", "--password", "***")


def test_a_full_disk_is_told_once_and_survived() -> None:
    log = EventLog()
    heard: list[e.Event] = []
    log.subscribe(heard.append)
    log.open(Path("/dev/full"))
    for number in range(3):
        log.record(e.Warned(message=f"event {number}"))
    told = [event.message for event in heard if isinstance(event, e.Warned)]
    assert told.count("events are no longer written to disk: No space left on device") == 1
    assert [message for message in told if message.startswith("event ")] == ["event 0", "event 1", "event 2"]
    log.close()


def test_the_time_of_an_event_is_the_clocks_though_a_log_takes_its_time_to_be_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    elapsed = [0.0]

    def slow(*_environments: object) -> tuple[str, ...]:
        elapsed[0] += 5.0
        return ()

    clock = SimpleNamespace(monotonic=lambda: 100.0 + elapsed[0], time=lambda: 5000.0 + elapsed[0])
    monkeypatch.setattr(event_log, "time", clock)
    monkeypatch.setattr(event_log, "secrets_of", slow)

    log, told = EventLog(), list[e.Event]()
    log.subscribe(told.append)
    log.record(e.Warned(message="now"))

    assert [(event.at, event.time) for event in told] == [(5.0, 5005.0)]
