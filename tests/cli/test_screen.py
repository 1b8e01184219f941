"""What the lines of `envspec up` say, one event after another."""

from __future__ import annotations

import io

from envspec.cli.screen import LineScreen
from envspec.plan import events as e
from envspec.session.status import SessionStatus

STATUS = SessionStatus(id="local-abcde", environment="local", file="local.yaml")


def _said(*events: e.Event) -> list[str]:
    stream = io.StringIO()
    screen = LineScreen(stream)
    for event in events:
        screen.event(event, STATUS)
    return [" ".join(line.split()[2:]) for line in stream.getvalue().splitlines()]


def _answer(check: int, text: str, replica: str = "web") -> e.CheckAnswered:
    passed = text == "passed"
    return e.CheckAnswered(
        replica=replica, check=f"services.web.health[{check}] (http)", passed=passed, answer=text, tries=1
    )


def test_what_two_checks_of_a_service_say_alike_is_said_once() -> None:
    refused = "nothing listens on 127.0.0.1:1"
    assert _said(
        _answer(0, refused), _answer(1, refused), _answer(0, refused, "api"), _answer(0, "passed"), _answer(1, refused)
    ) == [
        f"web http not yet: {refused}",
        f"api http not yet: {refused}",
        "web http passed",
        f"web http not yet: {refused}",
    ]


def test_a_new_start_says_again_what_the_one_before_said() -> None:
    exited = e.ReplicaExited(replica="web", pid=1, exit_code=1, signal=None, expected=False)
    assert _said(_answer(0, "no"), exited, _answer(0, "no")) == [
        "web http not yet: no",
        "web exited with code 1",
        "web http not yet: no",
    ]
