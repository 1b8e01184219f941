"""The prober, spoken to as the agent speaks to it."""

from __future__ import annotations

import http.server
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from envspec.agent.wire import decode, encode

PATIENCE = 30.0  # seconds that anything may take on a busy machine


class Prober:
    """A prober process and all that it has said."""

    def __init__(self, folder: Path, *program: str) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-P", *(program or ("-m", "envspec.agent.prober"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=folder,
            bufsize=0,
        )
        self.heard: list[dict[str, Any]] = []
        self._pending = b""

    def ask(self, key: str, do: str, *checks: dict[str, Any], **more: Any) -> None:
        about = {"folder": str(self.folder), "cwd": str(self.folder), "env": dict(os.environ)}
        self.send({"key": key, "do": do, "checks": checks, **about, **more})

    def send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(encode(message))

    def wait(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Return the first message that is wanted, reading on until it comes."""
        deadline = time.monotonic() + PATIENCE
        while not (found := next(filter(wanted, self.heard), None)):
            assert self.process.stdout is not None
            left = deadline - time.monotonic()
            assert select.select([self.process.stdout], [], [], max(0.0, left))[0], f"heard only {self.heard}"
            *lines, self._pending = (self._pending + self.process.stdout.read(65536)).split(b"\n")
            self.heard += map(decode, lines)
        return found

    def done(self, key: str) -> dict[str, Any]:
        return self.wait(lambda said: said.get("key") == key and said["notice"] == "done")

    def once(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Ask one check one time and return its answer."""
        key = f"once {len(self.heard)}"
        self.ask(key, "once", check(kind, **fields))
        answer: dict[str, Any] = self.done(key)["answers"][0]
        return answer

    def close(self) -> None:
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()
        self.process.kill()
        self.process.wait()


@pytest.fixture
def prober(tmp_path: Path) -> Iterator[Prober]:
    running = Prober(tmp_path)
    yield running
    running.close()


def check(kind: str, port: int = 0, timeout: float = 5.0, context: Any = None, **fields: Any) -> dict[str, Any]:
    ends = [{"name": "main", "scheme": "http", "host": "0.0.0.0", "port": port}] if port else []
    about = {"where": f"services.x.health[0] ({kind})", "position": "x.yaml:3:5", "context": context or {}}
    return {"kind": kind, "fields": fields, "timeout": timeout, "endpoints": ends, **about}


def callback(prober: Prober, code: str) -> str:
    (prober.folder / "checks.py").write_text(code)
    return "checks:look"


@pytest.fixture
def page() -> Iterator[Any]:
    """An HTTP server whose status and body a test can set, the status also for the next few requests one by one."""

    class Page(http.server.BaseHTTPRequestHandler):
        status = 503
        body = b""
        next: ClassVar[list[int]] = []

        def handle_one_request(self) -> None:
            if self.rfile.readline():
                status = Page.next.pop(0) if Page.next else Page.status
                head = f"HTTP/1.0 {status} .\r\nContent-Length: {len(Page.body)}\r\n\r\n"
                self.wfile.write(head.encode() + Page.body)
            self.close_connection = True

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    Page.port = server.server_address[1]  # type: ignore[attr-defined]
    yield Page
    server.shutdown()
    thread.join()
    server.server_close()


def test_until_asks_again_and_ends_with_the_first_good_round(prober: Prober, page: Any) -> None:
    prober.ask("a", "until", check("http", page.port), timeout=PATIENCE)
    first = prober.wait(lambda said: said["notice"] == "answer")
    assert first["key"] == "a"
    assert first["position"] == "x.yaml:3:5"
    assert not first["passed"]
    assert "HTTP 503" in first["text"]
    page.status = 200
    (answer,) = prober.done("a")["answers"]
    assert answer["passed"]
    assert answer["text"] == "HTTP 200 ."
    assert answer["tries"] > 1
    assert answer["seconds"] > 0


def test_an_answer_that_stays_the_same_is_told_once(prober: Prober, page: Any) -> None:
    prober.ask("a", "until", check("http", page.port), timeout=0.5)
    assert not prober.done("a")["passed"]
    assert [said["notice"] for said in prober.heard] == ["answer", "done"]
    assert prober.heard[-1]["answers"][0]["tries"] > 5


def test_the_last_answers_are_told_on_request_with_their_tries(prober: Prober, page: Any) -> None:
    prober.ask("a", "until", check("http", page.port))
    prober.wait(lambda said: said["notice"] == "answer")
    prober.send({"key": "a", "do": "tell"})
    prober.wait(lambda said: said["notice"] == "told")
    assert [said["notice"] for said in prober.heard] == ["answer", "answer", "told"]
    assert "HTTP 503" in prober.heard[1]["text"]
    prober.send({"key": "unknown", "do": "tell"})
    prober.wait(lambda said: said["notice"] == "told" and said["key"] == "unknown")


def test_a_held_inquiry_begins_when_told_to_go(prober: Prober, page: Any) -> None:
    page.status = 200
    prober.ask("a", "until", check("http", page.port), held=True)
    prober.ask("b", "until", check("http", page.port))
    prober.done("b")
    prober.send({"key": "a", "do": "go"})
    assert prober.done("a")["passed"]
    assert [said["key"] for said in prober.heard if said["notice"] == "done"] == ["b", "a"]


def test_checks_are_asked_in_order_and_a_round_ends_at_the_first_bad_one(prober: Prober, page: Any) -> None:
    look = callback(prober, "def look(ctx): open('asked', 'w').close()")
    prober.ask("a", "once", check("http", page.port), check("python", call=look))
    done = prober.done("a")
    assert not done["passed"]
    assert [(answer["passed"], answer["tries"]) for answer in done["answers"]] == [(False, 1), (False, 0)]
    assert done["answers"][1]["text"] == "not asked, since a check before it has not passed"
    assert not (prober.folder / "asked").exists()


def test_who_waits_is_asked_again_at_once_when_another_passes(tmp_path: Path, page: Any) -> None:
    with_long_pauses = (
        "from envspec.agent import prober, probe_inquiry as inquiry\n"
        "inquiry.FIRST_PAUSE = inquiry.LONGEST_PAUSE = 3600.0\n"
        "prober.main()"
    )
    prober = Prober(tmp_path, "-c", with_long_pauses)
    prober.ask("late", "until", check("http", page.port))
    prober.wait(lambda said: said["notice"] == "answer")
    page.status = 200
    prober.ask("other", "until", check("http", page.port))
    assert prober.done("other")["passed"]
    assert prober.done("late")["passed"]
    prober.close()


def test_what_stands_behind_another_check_waits_until_it_may_step_forward(tmp_path: Path, page: Any) -> None:
    for_long = "from envspec.agent import prober, probe_inquiry as inquiry\ninquiry.BEHIND = 3600.0\nprober.main()"
    prober = Prober(tmp_path, "-c", for_long)
    prober.ask("second", "until", check("http", page.port), behind=True)
    prober.wait(lambda said: said["notice"] == "answer")
    page.status = 200
    prober.send({"key": "second", "do": "step_forward"})
    (answer,) = prober.done("second")["answers"]
    assert (answer["passed"], answer["tries"]) == (True, 2)
    prober.close()


def test_live_tells_after_so_many_failures_in_a_row(prober: Prober, page: Any) -> None:
    page.status = 200
    page.next[:] = [200, 500, 500, 200, 500, 500, 501]
    prober.ask("a", "live", check("http", page.port), every=0.01, failures=3)
    unhealthy = prober.wait(lambda said: said["notice"] == "unhealthy")
    assert unhealthy["check"] == "services.x.health[0] (http)"
    assert unhealthy["position"] == "x.yaml:3:5"
    assert unhealthy["tries"] == 3
    assert "HTTP 501" in unhealthy["text"]


def test_a_cancelled_key_is_not_heard_of_again(prober: Prober, page: Any) -> None:
    prober.ask("a", "until", check("http", page.port))
    prober.wait(lambda said: said["notice"] == "answer")
    prober.send({"key": "a", "do": "cancel"})
    page.status = 200
    prober.ask("b", "until", check("http", page.port), timeout=PATIENCE)
    prober.done("b")
    assert {said["key"] for said in prober.heard if said.get("passed")} == {"b"}


def test_a_callback_sees_the_environment_by_attribute_and_by_key(prober: Prober) -> None:
    look = callback(
        prober,
        "def look(ctx, count, *, name):\n"
        "    assert ctx.services.worker.replicas[1].ports['http'] == 8001\n"
        "    assert ctx['vars'].items == 3 and 'nothing' not in ctx.vars\n"
        "    assert ctx.replica is None and ctx.timeout == 5.0\n"
        "    assert (count, name) == (2, 'x')\n",
    )
    replicas = [{"ports": {"http": 8000}}, {"ports": {"http": 8001}}]
    values = {"services": {"worker": {"replicas": replicas}}, "vars": {"items": 3}, "replica": None}
    prober.ask("a", "once", check("python", context=values, call=look, args={"count": 2, "name": "x"}))
    (answer,) = prober.done("a")["answers"]
    assert answer["passed"], answer["text"]


def test_a_callback_says_no_by_raising_and_the_line_is_named(prober: Prober) -> None:
    look = callback(prober, "def look(ctx):\n    print('workers:', 1)\n    assert ctx.timeout > 100, 'too few'\n")
    answer = prober.once("python", call=look)
    assert not answer["passed"]
    said = "AssertionError: too few (checks.py:3: assert ctx.timeout > 100, 'too few'); it printed: workers: 1"
    assert answer["text"] == said


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("async def look(ctx): pass", "checks:look is an async function"),
        ("def look(ctx): return False", "checks:look returned False"),
        ("import sys\ndef look(ctx): sys.exit(3)", "SystemExit: 3"),
        ("def look(ctx): raise KeyboardInterrupt", "KeyboardInterrupt (checks.py:1: "),
        ("def look(ctx): raise GeneratorExit", "GeneratorExit (checks.py:1: "),
        (
            "class Dumb(Exception): __str__ = None\ndef look(ctx): raise Dumb",
            "Dumb: <exception str() failed> (checks.py:2: ",
        ),
        ("def other(ctx): pass", "AttributeError: module 'checks' has no attribute 'look'"),
        ("def look(ctx): ctx.workers", "AttributeError: there is no 'workers'; there is timeout"),
    ],
)
def test_a_callback_that_cannot_be_asked_says_why(prober: Prober, code: str, said: str) -> None:
    answer = prober.once("python", call=callback(prober, code))
    assert not answer["passed"]
    assert said in answer["text"]


def test_of_an_error_without_end_the_begin_is_kept_and_the_line(prober: Prober) -> None:
    text = prober.once("python", call=callback(prober, "def look(ctx): raise ValueError('x' * 10**6)"))["text"]
    assert text.startswith("ValueError: xxx")
    assert text.endswith("… (1000012 characters) (checks.py:1: def look(ctx): raise ValueError('x' * 10**6))")
    assert len(text) < 11_000


def test_a_missing_module_names_the_folder(prober: Prober) -> None:
    assert f"there is no checks.py in {prober.folder}" in prober.once("python", call="checks:look")["text"]


def test_a_callback_is_sought_beside_the_file_that_wrote_it(prober: Prober) -> None:
    elsewhere = prober.folder / "catalog"
    elsewhere.mkdir()
    (elsewhere / "checks.py").write_text("def look(ctx): raise LookupError('asked beside the entry')\n")
    prober.ask("entry", "once", {**check("python", call="checks:look"), "folder": str(elsewhere)})

    assert "asked beside the entry" in prober.done("entry")["answers"][0]["text"]


def test_prints_never_get_among_the_messages(prober: Prober) -> None:
    look = callback(
        prober,
        "import os, sys\n"
        "def look(ctx):\n"
        '    os.write(1, b\'{"notice": "done"}\\n\')\n'
        "    print('{}', file=sys.__stdout__, flush=True)\n"
        "    os.system('echo loud')\n"
        "    assert sys.stdin.read() == ''\n",
    )
    assert prober.once("python", call=look)["passed"]
    assert all("key" in said for said in prober.heard)


def test_a_probe_that_hangs_costs_a_thread_and_the_next_try_may_pass(prober: Prober) -> None:
    look = callback(
        prober,
        "import threading\ntries = []\n"
        "def look(ctx):\n"
        "    tries.append(1)\n"
        "    if len(tries) < 3: threading.Event().wait()\n",
    )
    prober.ask("a", "until", check("python", timeout=0.1, call=look), timeout=PATIENCE)
    hanging = prober.wait(lambda said: said["notice"] == "answer")
    assert hanging["text"] == "no answer within 0.10 s, it hangs"
    (answer,) = prober.done("a")["answers"]
    assert (answer["passed"], answer["tries"]) == (True, 3)


def test_a_prober_with_too_many_hanging_probes_calls_itself_sick(prober: Prober) -> None:
    look = callback(prober, "import threading\ndef look(ctx): threading.Event().wait()\n")
    for number in range(16):
        prober.ask(f"{number}", "once", check("python", timeout=0.05, call=look))
    assert prober.wait(lambda said: said["notice"] == "sick")["hanging"] >= 16
    assert not prober.done("7")["passed"]


SLOW = "(x+x+)+y"
LINE = b"x" * 45  # half an hour's work for that pattern


def test_a_pattern_that_takes_for_ever_is_given_up_and_holds_nobody_up(prober: Prober, page: Any) -> None:
    page.status, page.body = 200, LINE
    (prober.folder / "log").write_bytes(LINE + b"\n")
    prober.ask("body", "until", check("http", page.port, timeout=PATIENCE, text=SLOW))
    prober.ask("line", "live", check("log", match=SLOW), log="log", every=0.01, failures=3)
    body = prober.wait(lambda said: said["notice"] == "answer" and said["key"] == "body")
    line = prober.wait(lambda said: said["notice"] == "unhealthy")
    prober.ask("other", "once", check("http", page.port, text="^x+$"))

    assert prober.done("other")["passed"]
    assert f"the pattern '{SLOW}' takes longer than 500 ms, so it is given up" in body["text"]
    assert f"the pattern '{SLOW}' takes longer than 50 ms, so it is given up" in line["text"]


def test_a_pattern_that_was_given_up_is_not_tried_again(prober: Prober, page: Any) -> None:
    page.status, page.body = 200, LINE
    prober.ask("body", "until", check("http", page.port, timeout=PATIENCE, text=SLOW))
    (answer,) = prober.done("body")["answers"]

    assert (answer["passed"], answer["tries"]) == (False, 1)
    assert "leave out a repeat within a repeat" in answer["remedy"]


def test_many_lines_and_many_patterns_at_once_are_not_taken_for_a_slow_one(prober: Prober, page: Any) -> None:
    page.status, page.body = 200, b"ready"
    (prober.folder / "log").write_bytes(b"a line of a log that says nothing\n" * 400_000 + b"ready\n")
    for number in range(20):
        prober.ask(f"http {number}", "once", check("http", page.port, text="^ready$"))
    prober.ask("log", "once", check("log", match="^.*rea+dy$", timeout=PATIENCE), log="log")

    assert all(prober.done(f"http {number}")["passed"] for number in range(20))
    assert prober.done("log")["answers"][0]["text"] == "ready"


def test_the_end_of_stdin_ends_the_prober_whatever_goes_on_in_it(prober: Prober) -> None:
    stay = "threading.Thread(target=threading.Event().wait, daemon=False).start()"
    look = callback(prober, f"import threading\ndef look(ctx): {stay}\n")
    assert prober.once("python", call=look)["passed"]
    prober.ask("b", "until", check("exec", shell="echo $$ > pid; sleep 60"))
    deadline = time.monotonic() + PATIENCE
    while not (prober.folder / "pid").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert prober.process.stdin is not None
    prober.process.stdin.close()
    assert prober.process.wait(PATIENCE) == 0


def test_a_check_that_is_no_check_is_answered_not_fatal(prober: Prober) -> None:
    assert "TypeError" in prober.once("http", colour="red")["text"]
    assert "KeyError: 'smoke'" in prober.once("smoke")["text"]
    assert "error: " in prober.once("log", match="(")["text"]


def test_nobody_listening_costs_many_quick_tries(prober: Prober) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    prober.ask("a", "until", check("tcp", port), timeout=0.4)
    (answer,) = prober.done("a")["answers"]
    assert answer["text"] == f"127.0.0.1:{port}: connection refused"
    assert answer["tries"] > 5
