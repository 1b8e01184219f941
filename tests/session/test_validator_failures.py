"""What is told of validators that did not pass: all of them, how often they were asked, and which of them hangs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from envspec.errors import RequirementError, ServiceExitedError, ServiceNotReadyError
from envspec.plan import events as e
from tests.session.running import Bench

SILENT = """
import http.server, sys, time
class Server(http.server.BaseHTTPRequestHandler):
    asked = 0
    def do_GET(self):
        Server.asked += 1
        if Server.asked > int(sys.argv[2]):
            time.sleep(600)
        self.send_error(503)
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Server).serve_forever()
"""


def tries_in(error: object) -> int:
    found = re.search(r"not passed in (\d+) (?:try|tries) within", str(error))
    assert found, error
    return int(found[1])


def write(bench: Bench, name: str, text: str) -> Path:
    file = bench.path / name
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    "health",
    [
        "http: {port: http}",
        "openai: {port: http, name: x}",
        "nats: {port: http}",
        "exec: {command: [sleep, '600']}",
        "python: {call: 'hang:look'}",
    ],
)
def test_a_validator_that_hangs_when_the_time_is_up_is_named(bench: Bench, health: str) -> None:
    write(bench, "silent.py", SILENT)
    write(bench, "hang.py", "import time\ndef look(ctx): time.sleep(600)\n")
    error = bench.session(
        f"""
        services:
          web:
            command: [python, "{{{{ project.dir }}}}/silent.py", "{{{{ ports.http }}}}", "0"]
            ports: {{http: auto}}
            health: [{{{health}}}]
            start_timeout: 1500ms
        """.replace("{{ project.dir }}", str(bench.path))
    ).fails()
    assert isinstance(error, ServiceNotReadyError)
    assert f"check    services.web.health[0] ({health.partition(':')[0]}), {bench.path}/env.yaml:7:14\n" in str(error)
    assert tries_in(error) == 1
    assert re.search(r"\n +no answer for [\d.]+ m?s \(it hangs\)\n", str(error)), error


def test_a_hang_after_answers_is_told_with_the_answer_before_it(bench: Bench) -> None:
    write(bench, "silent.py", SILENT)
    error = bench.session(
        """
        services:
          web:
            command: [python, "BENCH/silent.py", "{{ ports.http }}", "3"]
            ports: {http: auto}
            health: [{http: {port: http}}]
            start_timeout: 2500ms
        """.replace("BENCH", str(bench.path))
    ).fails()
    assert tries_in(error) == 4
    assert re.search(r"no answer for [\d.]+ m?s \(it hangs\); the answer before: .*HTTP 503", str(error)), error


def test_the_tries_are_counted_when_the_process_dies(bench: Bench) -> None:
    error = bench.session(
        """
        services:
          web:
            command: [bash, -c, "until [[ $(wc -l < $BENCH/tries) -ge 7 ]]; do sleep 0.02; done; exit 3"]
            health: [{exec: {command: [sh, -c, "echo >> $BENCH/tries; exit 9"]}}]
        """
    ).fails()
    assert isinstance(error, ServiceExitedError)
    counted = len((bench.path / "tries").read_text())
    assert tries_in(error) in (counted, counted - 1), "the last one may have been under way"
    assert "exit code 9" in str(error)


def test_a_callback_that_ends_the_prober_is_told_with_its_tries(bench: Bench) -> None:
    write(bench, "deadly.py", "import os\ndef look(ctx): os._exit(7)\n")
    error = bench.session(
        """
        services:
          web:
            command: [sleep, "100"]
            health: [{exec: {command: ["false"]}}, {python: {call: "deadly:look"}}]
        """
    ).fails()
    assert str(error).startswith("web cannot become healthy: services.web.health[1] (python) cannot pass\n")
    assert tries_in(error) == 3
    assert re.search(r"it ended its prober \(exit code 7\), 3 times in a row, and is not asked again", str(error))
    assert "the callback must not end its process" in error.hint
    assert "start_timeout" not in error.hint


def test_all_validators_that_have_not_passed_are_named(bench: Bench) -> None:
    checks = "".join(f", {{exec: {{command: [sh, -c, 'echo no {number}; exit 1']}}}}" for number in range(4))
    error = bench.session(
        f"""
        services:
          web:
            command: [sleep, "100"]
            ports: {{http: auto}}
            health: [{{tcp: {{port: http}}}}, {{exec: {{command: ["true"]}}}}, {{log: {{match: up}}}}{checks}]
            start_timeout: 900ms
        """
    ).fails()
    lines = str(error).splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("check "))
    assert lines[first].startswith("check    services.web.health[0] (tcp), ")
    assert re.fullmatch(r" +not passed within .*; the last answer:", lines[first + 1])
    assert re.fullmatch(r" +nothing listens on 127\.0\.0\.1:\d+ yet", lines[first + 2])
    assert re.fullmatch(
        r" +services\.web\.health\[2\] \(log\), \S+: not passed: no line matches 'up' yet", lines[first + 3]
    )
    assert re.fullmatch(
        r" +services\.web\.health\[3\] \(exec\), \S+: not passed in \d+ tries: exit code 1: no 0", lines[first + 4]
    )
    assert lines[first + 7].strip() == "and 1 more that have not passed"
    assert [answer["check"][-10:] for answer in error.details["answers"]][:2] == ["th[0] (tcp)"[-10:], "h[2] (log)"]


@pytest.mark.parametrize(
    ("health", "answer", "hint"),
    [
        ("exec: {command: [no-such-program]}", "command not found: no-such-program", "correct its name"),
        ("log: {match: '(x+x+)+y'}", "so it is given up", "leave out a repeat within a repeat"),
    ],
)
def test_a_validator_that_can_never_pass_ends_the_start_at_once(
    bench: Bench, health: str, answer: str, hint: str
) -> None:
    error = bench.session(
        f"""
        services:
          web:
            command: [sh, -c, "printf '%045d\\\\n' 0 | tr 0 x; exec sleep 100"]
            health: [{{{health}}}]
            start_timeout: 10m
        """
    ).fails()
    assert isinstance(error, ServiceNotReadyError)
    assert "cannot become healthy" in str(error)
    assert answer in str(error)
    assert hint in error.hint
    assert "start_timeout" not in error.hint or "shell" in error.hint


def test_a_ready_that_can_never_pass_ends_the_start_at_once(bench: Bench) -> None:
    error = bench.session(
        """
        services: {web: {command: [sleep, "100"]}}
        ready: [{exec: {command: [no-such-program]}}]
        start_timeout: 10m
        """
    ).fails()
    assert "every service of env is healthy, but `ready` cannot pass\n" in str(error)
    assert "correct its name" in error.hint


def test_what_a_validator_wrote_before_it_was_killed_is_shown(bench: Bench) -> None:
    error = bench.session(
        """
        services:
          web:
            command: [sleep, "100"]
            health: [{exec: {shell: "echo waiting for the moon; sleep 60", timeout: 200ms}}]
            start_timeout: 1s
        """
    ).fails()
    assert "killed after 0.20 s: bash; its last output: waiting for the moon" in str(error)


def test_a_replica_that_waited_for_the_one_before_it_was_held_up(bench: Bench) -> None:
    error = bench.session(
        """
        services:
          r:
            command: [sh, -c, "test $INDEX = 0 || exit 4; exec sleep 100"]
            env: {INDEX: "{{ replica.index }}"}
            health: [{exec: {command: ["true"]}}]
            replicas: 3
            start: ordered
          x: {command: [sleep, "100"], depends_on: [r]}
        """
    ).fails()
    assert error.service == "r.1"
    assert error.details["held_up"] == [["r.1", "r.2", "x"]]


def test_a_server_that_cannot_bind_over_its_hold_is_told_of_hold_release(bench: Bench) -> None:
    code = "import socket, sys; socket.socket().bind(('127.0.0.1', int(sys.argv[1])))"
    error = bench.session(
        f"""
        services:
          web:
            command: [python, -c, "{code}", "{{{{ ports.api }}}}"]
            ports: {{api: auto}}
            health: [{{tcp: {{port: api}}}}]
        """
    ).fails()
    assert "Address already in use" in str(error)
    assert "`api: {hold: release}`" in error.hint


SERVER = """
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listens", flush=True)
listener.accept()
"""


@pytest.mark.parametrize("hold", ["auto", "{hold: release}"])
def test_a_service_that_listens_on_the_port_of_another_is_named(bench: Bench, hold: str) -> None:
    server = f"python, {write(bench, 'server.py', SERVER)}"
    session = bench.session(
        f"""
        services:
          a: {{command: [{server}, "{{{{ services.b.ports.http }}}}"], health: [{{log: {{match: listens}}}}]}}
          b: {{command: [{server}, "{{{{ ports.http }}}}"], ports: {{http: {hold}}}, depends_on: [a]}}
        """
    )
    error = session.fails()
    (port,), pid = session.wait(e.PortsLeased).ports["b"]["http"], session.of(e.ReplicaSpawned, replica="a")[0].pid
    assert error.service == "b"
    assert error.hint == f"its port http: port {port} is listened on by a, pid {pid}"


def test_a_validator_whose_library_is_missing_is_told_before_anything_starts(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("envspec.session.requirements._has_module", lambda name: name != "grpc")
    session = bench.session(
        """
        services:
          web: {command: [sleep, "100"], ports: {api: auto}, health: [{grpc: {port: api}}]}
          off: {command: [sleep, "100"], ports: {api: auto}, health: [{grpc: {port: api}}], enabled: false}
        """
    )
    error = session.fails()
    assert isinstance(error, RequirementError)
    assert "the Python module grpc is not installed (for web)" in str(error)
    assert error.hint == "pip install 'envspec[grpc]'"
    assert session.of(e.ReplicaSpawned) == []
