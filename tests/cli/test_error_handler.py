"""Whatever a command raises becomes one message on stderr and the right exit code."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import NoReturn

import pytest

from envspec.cli.error_handler import handled
from envspec.errors import (
    AgentLostError,
    PortUnavailableError,
    RequirementError,
    ServiceExitedError,
    StoppedError,
    UsageError,
)


def raising(error: BaseException) -> NoReturn:
    raise error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("no"), 2),
        (PortUnavailableError("no"), 3),
        (RequirementError("no"), 3),
        (ServiceExitedError("no", service="x"), 4),
        (AgentLostError("no"), 5),
        (StoppedError("no"), 130),
        (KeyboardInterrupt(), 130),
        (RuntimeError("no"), 70),
    ],
)
def test_exit_codes(error: BaseException, code: int) -> None:
    assert handled(lambda: raising(error), ["up"]) == code


def test_the_sentence_the_facts_and_the_hint_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    handled(lambda: raising(ServiceExitedError("etcd died\n  log  /x", service="etcd", hint="look there")), ["up"])
    captured = capsys.readouterr()

    assert captured.err == "error: etcd died\n  log  /x\n\nhint: look there\n"
    assert captured.out == ""


def test_what_cannot_be_told_keeps_its_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/full").open("w", buffering=1) as full:
        monkeypatch.setattr("sys.stderr", full)
        code = handled(lambda: raising(UsageError("no")), ["up"])

    assert code == 2


def test_run_returns_125_for_whatever_is_not_the_commands_own() -> None:
    assert handled(lambda: raising(PortUnavailableError("no")), ["run", "local"]) == 125
    assert handled(lambda: raising(RuntimeError("no")), ["run", "local"]) == 125
    assert handled(lambda: raising(BrokenPipeError()), ["run", "local"]) == 125
    assert handled(lambda: raising(SystemExit(1)), ["run", "local"]) == 125
    assert handled(lambda: 3, ["run", "local"]) == 3
    assert handled(lambda: raising(KeyboardInterrupt()), ["run", "local"]) == 130


def test_a_bug_leaves_a_report_to_paste_without_secrets(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_0123456789")
    monkeypatch.setenv("ENVSPEC_STATE_DIR", str(tmp_path))

    assert handled(lambda: raising(RuntimeError("told hf_0123456789")), ["up", "--set", "t=hf_0123456789"]) == 70
    said = capsys.readouterr().err
    report = Path(re.search(r"\S+\.md$", said.strip())[0])  # type: ignore[index]  # no match fails the test as well
    text = report.read_text()

    assert "internal error: RuntimeError: told ***" in said
    assert "command: `envspec up --set t=***`" in text
    assert "Traceback" in text
    assert "pydantic" in text
    assert "hf_0123456789" not in said + text
    assert report.stat().st_mode & 0o077 == 0


def test_only_the_last_five_reports_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ENVSPEC_STATE_DIR", str(tmp_path))
    for number in range(7):
        handled(partial(raising, RuntimeError(f"bug {number}")), ["up"])
    kept = sorted((tmp_path / "bugs").iterdir())

    assert [f"bug {number}" in report.read_text() for number, report in enumerate(kept, 2)] == [True] * 5


def test_a_bug_is_told_even_where_no_report_can_be_written(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("ENVSPEC_STATE_DIR", str(tmp_path / "file"))

    assert handled(lambda: raising(RuntimeError("oh")), ["ps"]) == 70
    assert "Traceback" in capsys.readouterr().err
