"""Lines for pipes: each event says one thing, in words, without control characters."""

from __future__ import annotations

import pytest

from envspec.plan import events as e
from envspec.report.event_lines import event_line
from envspec.report.text import plain

SILENT = {"ports-leased", "replica-starting", "session-identified"}
"""Events that change nothing a person would want a line for."""


def said(event: e.Event) -> str:
    line = event_line(event, 8)
    return "" if line is None else plain([line])


def test_the_start_of_an_environment_reads_as_a_story(events: list[e.Event]) -> None:
    assert "".join(said(event) for event in events if getattr(event, "replica", "worker.0") == "worker.0") == (
        "    0.00 s  local     session local-k3f9a in /state/local\n"
        "    0.05 s  models.chat  being made\n"
        "    0.10 s  worker.0  waits for etcd healthy\n"
        "    0.15 s  models.chat  complete after 0.10 s, 1.24 MB at /cache/chat\n"
        "    0.41 s  worker.0  runs as pid 4008\n"
        "    2.00 s  worker.0  listens on http 20001\n"
        "    2.10 s  worker.0  http not yet: HTTP 503: wait\n"
        "    3.00 s  worker.0  healthy after 2.59 s\n"
        "    4.00 s            environment healthy after 4.00 s\n"
    )


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (e.SessionLent(to="pytest in /home (pid 3)"), "lent to pytest in /home (pid 3)"),
        (e.SessionReturned(ttl=1800.0), "given back, ends in 30 min 0 s unless it is lent again"),
        (e.SessionReturned(ttl=None), "given back"),
        (e.ReplicaExited(replica="x", pid=1, exit_code=3, signal=None, expected=False), "exited with code 3"),
        (
            e.ReplicaExited(replica="x", pid=1, exit_code=None, signal="SIGTERM", expected=True, ordered=True),
            "SIGTERM, as ordered",
        ),
        (e.ReplicaExited(replica="task", pid=1, exit_code=3, signal=None, expected=True), "exited with code 3\n"),
        (e.ReplicaExited(replica="task", pid=1, exit_code=0, signal=None, expected=True), "finished\n"),
        (e.ReplicaStopping(replica="x", signal="SIGTERM"), "sent SIGTERM\n"),
        (e.ReplicaStopping(replica="x", signal="INT"), "sent SIGINT\n"),
        (e.ReplicaStopped(replica="x", killed=True, seconds=10), "killed, its grace of 10.0 s ran out"),
        (e.CheckAnswered(replica="", check="ready[0] (openai)", passed=True, answer="ok", tries=1), "ready     openai"),
        (e.SessionFailed(error="E", message="it broke\n\n  details", exit_code=4), "environment failed: it broke\n"),
        (e.Warned(message="careful"), "warning: careful"),
        (e.ModelFetching(model="m", source="repo", commit="0123456789abcdef"), "being fetched, commit 0123456789ab\n"),
        (e.ModelProgress(model="m", done=412_000_000, total=10**9), "412 MB of 1.00 GB\n"),
        (e.ModelWaiting(model="m", holder="pid 4711 (pytest)"), "waits for pid 4711 (pytest)\n"),
        (e.ModelRetrying(model="m", reason="x is wrong: done again", seconds=0.0, attempt=1), "x is wrong: done again"),
        (e.ModelRetrying(model="m", reason="HTTP 429", seconds=12, attempt=2), "HTTP 429, again in 12.0 s (attempt 2)"),
        (e.ModelReady(model="m", path="/hub/m", cached=True), "models.m  cached at /hub/m\n"),
        (
            e.ModelReady(model="m", path="/hub/m", cached=True, total=10**6, seconds=2),
            "complete after 2.00 s, nothing of it had to come, at /hub/m\n",
        ),
        (
            e.ModelReady(model="m", path="/m", cached=False, bytes=10**6, total=10**9, seconds=2),
            "complete after 2.00 s, 1.00 MB of 1.00 GB had to come, at /m\n",
        ),
        (
            e.ModelReady(model="m", path="/m", cached=False, bytes=10**6, total=10**6, seconds=2),
            "complete after 2.00 s, 1.00 MB at /m\n",
        ),
        (e.ModelWarmed(model="m", bytes=10**9, total=2 * 10**9, seconds=1.5), "1.00 GB of 2.00 GB in the page cache"),
    ],
)
def test_events_in_words(event: e.Event, words: str) -> None:
    assert words in said(event)


def test_what_a_service_answers_cannot_move_the_cursor() -> None:
    answer = e.CheckAnswered(replica="x", check="x (http)", passed=False, answer="a\x1b[2J\r\nb\x00", tries=1)

    assert said(answer) == "    0.00 s  x         http not yet: a b^@\n"


def test_no_event_is_forgotten() -> None:
    from envspec.report.event_lines import _WORDS

    assert {name for name, kind in e.EVENTS.items() if kind not in _WORDS} == SILENT
