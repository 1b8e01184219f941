"""What people are told when a service fails: the text is part of the product, so it stands here in full."""

from __future__ import annotations

import re

import pytest

from envspec.errors import (
    PortUnavailableError,
    ServiceExitedError,
    ServiceNotReadyError,
    ServiceStartError,
    SpecError,
)
from envspec.plan import events as e
from tests.session.running import Bench, Running, is_gone


def told(bench: Bench, error: object) -> str:
    """Return an error's text with everything that differs from run to run spelt out."""
    text = str(error).replace(str(bench.path), "BENCH")
    text = re.sub(r"env-[a-z2-9]{5}", "env-ID", text)
    text = re.sub(r"\b\d+(\.\d+)? (ms|s)\b", "TIME", text)
    return re.sub(r"in \d+ (try|tries)", "in N tries", text)


EXITS = """
services:
  store:
    command: [sh, -c, "echo loading; printf '\\\\033[31mred\\\\007\\\\377\\\\n'; exit 3"]
    ports: {http: auto}
    health: [{tcp: {port: http}}]
  worker: {command: [sleep, "100"], replicas: 2, depends_on: [store]}
  front: {command: [sleep, "100"], depends_on: [worker]}
"""


def test_a_service_that_exits_at_once(bench: Bench) -> None:
    session = bench.session(EXITS)
    error = session.fails()
    assert isinstance(error, ServiceExitedError)
    assert told(bench, error) == (
        "store exited with code 3 TIME after its start, before it was healthy\n"
        "\n"
        "where    BENCH/env.yaml:4:3\n"
        "command  sh -c 'echo loading; printf '\"'\"'\\033[31mred\\007\\377\\n'\"'\"'; exit 3'\n"
        "held up  store ← worker ← front\n"
        "log      BENCH/state/sessions/env-ID/logs/store.log, its last 2 lines:\n"
        "\n"
        "│ loading\n"
        "│ red^G\N{REPLACEMENT CHARACTER}"
    )
    assert error.service == "store"
    assert error.details["exit_code"] == 3
    assert error.details["held_up"] == [["store", "worker", "front"]]
    assert session.index(e.ReplicaSpawned, replica="store") < session.index(e.ReplicaExited, replica="store")
    assert session["store"].pid is None
    assert session.starts() == ["store"]


def test_the_failure_is_told_by_events_before_anything_is_stopped(bench: Bench) -> None:
    session = bench.session(EXITS.replace("services:", "services:\n  other: {command: [sleep, '100']}"))
    error = session.fails()
    failed = session.of(e.ReplicaFailed)[0]
    assert (failed.replica, failed.error, failed.message) == ("store", "ServiceExitedError", str(error))
    assert session.index(e.ReplicaFailed) < session.index(e.SessionStopping)
    last = session.events[-1]
    assert isinstance(last, e.SessionFailed)
    assert (last.message, last.exit_code) == (str(error), 4)
    assert session.background.status().state == "failed"
    assert all(is_gone(event.pid) for event in session.of(e.ReplicaSpawned))


def test_a_service_that_never_becomes_healthy(bench: Bench) -> None:
    error = bench.session(
        """
        services:
          web:
            command: [sh, -c, "echo started; exec sleep 100"]
            health: [{exec: {command: [sh, -c, "echo not yet; exit 9"]}}]
            start_timeout: 1500ms
          front: {command: [sleep, "100"], depends_on: [web]}
        """
    ).fails()
    assert isinstance(error, ServiceNotReadyError)
    assert told(bench, error) == (
        "web did not become healthy within its start_timeout of TIME\n"
        "\n"
        "where    BENCH/env.yaml:4:3\n"
        "command  sh -c 'echo started; exec sleep 100'\n"
        "check    services.web.health[0] (exec), BENCH/env.yaml:6:14\n"
        "         not passed in N tries within TIME; the last answer:\n"
        "         exit code 9: not yet\n"
        "held up  web ← front\n"
        "log      BENCH/state/sessions/env-ID/logs/web.log, its last line:\n"
        "\n"
        "│ started"
    )
    assert "start_timeout" in error.hint
    answer = error.details["answer"]
    assert isinstance(answer, dict)
    assert answer["check"] == "services.web.health[0] (exec)"
    assert answer["tries"] > 1


@pytest.mark.parametrize("more", ["", ", depends_on: [made]"])  # what a task may make is looked for later
def test_a_command_that_an_extra_provides_is_told_with_the_extra(bench: Bench, more: str) -> None:
    services = f"made: {{kind: task, command: [sh, -c, ':']}}, kv: {{command: [etcd], env: {{PATH: /opt/none}}{more}}}"
    error = bench.session(f"services: {{{services}}}").fails()
    assert isinstance(error, ServiceStartError)
    assert "command not found: etcd, on PATH\n" in str(error)
    assert str(error).endswith("PATH searched: /opt/none")
    assert error.hint == "pip install 'envspec[local]'"


def test_a_command_that_does_not_exist(bench: Bench) -> None:
    error = bench.session(
        "services: {web: {command: [no-such-server], env: {PATH: /opt/none}}}", environ={"PATH": "/usr/bin:/bin"}
    ).fails()
    assert isinstance(error, ServiceStartError)
    assert told(bench, error) == (
        "web: command not found: no-such-server, on PATH\n"
        "\n"
        "where    BENCH/env.yaml:2:12\n"
        "command  no-such-server\n"
        "PATH searched: /opt/none"
    )


def test_the_state_of_a_start_names_whose_commands_do_not_exist(bench: Bench) -> None:
    session = bench.session(
        """
        services:
          good: {command: [sleep, "100"]}
          web: {command: [no-such-server], replicas: 2}
          kv: {command: [no-such-store]}
        """
    )
    session.fails()
    assert {name: replica.state for name, replica in session.background.status().services.items()} == {
        "good": "stopped",
        "web.0": "failed",
        "web.1": "stopped",
        "kv": "failed",
    }
    assert session["kv"].message.startswith("kv: command not found: no-such-store, on PATH\n")


def test_an_action_that_fails_is_a_failed_start(bench: Bench) -> None:
    session = bench.session(
        """
        services:
          web:
            command: [sleep, "100"]
            health: [{exec: {command: ["true"]}}]
            after_healthy:
              - exec: {command: [touch, first]}
              - exec: {command: [sh, -c, "test -e first && echo no such adapter; exit 1"]}
              - exec: {command: [touch, third]}
        """
    )
    error = session.fails()
    assert isinstance(error, ServiceNotReadyError)
    assert str(error).startswith("web was healthy, but services.web.after_healthy[1] (exec) failed")
    assert "no such adapter" in str(error)
    assert session.of(e.ReplicaHealthy) == []


def test_a_service_that_ends_well_has_failed_all_the_same(bench: Bench) -> None:
    error = bench.session("services: {web: {command: ['true'], health: [{exec: {command: ['false']}}]}}").fails()
    assert isinstance(error, ServiceExitedError)
    assert "kind: task" in error.hint


def test_a_task_that_fails_and_one_that_never_ends(bench: Bench) -> None:
    failing = bench.session("services: {migrate: {kind: task, command: [sh, -c, 'echo oops; exit 2']}}").fails()
    assert told(bench, failing).splitlines()[0] == "migrate exited with code 2 TIME after its start"
    endless = bench.session("services: {migrate: {kind: task, command: [sleep, '100'], start_timeout: 300ms}}").fails()
    assert told(bench, endless).splitlines()[0] == "migrate did not finish within its start_timeout of TIME"


def test_a_death_by_signal_names_the_signal(bench: Bench) -> None:
    error = bench.session("services: {web: {kind: task, command: [sh, -c, 'kill -SEGV $$']}}").fails()
    assert told(bench, error).startswith("web died of SIGSEGV TIME after its start")
    killed = bench.session("services: {web: {kind: task, command: [sh, -c, 'kill -KILL $$']}}").fails()
    assert told(bench, killed).startswith("web died of SIGKILL, sender unknown, TIME after its start")
    assert (killed.details["signal"], killed.details["out_of_memory"]) == ("SIGKILL", False)


def test_secrets_are_in_no_text_that_leaves_the_session(bench: Bench) -> None:
    session = bench.session(
        """
        services:
          web:
            command: [sh, -c, "echo token is $HF_TOKEN, pass is $DB_PASSWORD; exit 1", "{{ env.HF_TOKEN }}"]
            env: {DB_PASSWORD: hunter2hunter2}
            health: [{exec: {command: ["false"]}}]
        """,
        environ={"HF_TOKEN": "hf_abcdefghijkl"},
    )
    error = session.fails()
    assert "token is ***, pass is ***" in str(error)
    written = "".join(path.read_text() for path in bench.state.glob("sessions/*/*.json*"))
    for secret in ("hf_abcdefghijkl", "hunter2hunter2"):
        assert secret not in str(error)
        assert secret not in str(error.details)
        assert secret not in str(session.events)
        assert secret not in written
    assert "***" in written


def test_only_the_last_lines_of_a_flood_are_shown(bench: Bench) -> None:
    error = bench.session(
        """
        services:
          web:
            kind: task
            command: [python, -c, "print('x' * 50000); [print('line', n) for n in range(5000)]; raise SystemExit(1)"]
        """
    ).fails()
    shown = [line for line in str(error).splitlines() if line.startswith("│")]
    assert shown == [f"│ line {number}" for number in range(4980, 5000)]


def test_a_fixed_port_that_is_taken(bench: Bench) -> None:
    server = bench.session("services: {web: {command: [sleep, '100'], ports: {http: auto}}}", "server").up()
    taken = server["web"].ports["http"]
    session = bench.session(f"services: {{web: {{command: [sleep, '100'], ports: {{http: {taken}}}}}}}")
    error = session.fails()
    assert isinstance(error, PortUnavailableError)
    assert re.match(rf"no port for web\.http \(/.+\.yaml:\d+:\d+\): port {taken} on ", str(error))
    assert f"port {taken} on 127.0.0.1 is held, not listened on, by pid " in str(error)
    assert f" of the envspec session {server.background.status().id} (for its replica web, user " in str(error)
    assert session.background.status().state == "failed"


def test_a_wrong_file_is_told_without_a_session(bench: Bench) -> None:
    session = bench.session("services: {web: {comand: [sleep, '100']}}")
    error = session.fails()
    assert isinstance(error, SpecError)
    assert [type(event) for event in session.events] == [e.SessionFailed]
    assert list(bench.state.glob("sessions/*")) == []


def test_a_service_that_dies_when_all_was_healthy_degrades_the_environment(bench: Bench) -> None:
    session = bench.session(
        """
        services:
          mortal: {command: [sh, -c, "echo born; while ! test -e $BENCH/die; do sleep 0.02; done; echo dying; exit 5"]}
          other: {command: [sleep, "100"]}
        """
    ).up()
    bench.touch("die")
    degraded = session.wait(e.SessionDegraded, replica="mortal")
    assert re.fullmatch(r"mortal exited with code 5 .* after its start", degraded.message)
    failed = session.of(e.ReplicaFailed)[0]
    assert "│ dying" in failed.message
    assert session["mortal"].state == "failed"
    assert session.background.status().state == "degraded"
    assert session["other"].state == "healthy"


def test_the_culprit_is_the_one_that_failed_and_not_one_that_followed(bench: Bench) -> None:
    session: Running = bench.session(
        """
        services:
          store: {command: [sh, -c, "while ! test -e $BENCH/die; do sleep 0.02; done; exit 6"]}
          client: {command: [sleep, "100"], depends_on: [store], health: [{exec: {command: ["false"]}}]}
        """
    ).begin()
    session.wait(e.ReplicaSpawned, replica="client")
    bench.touch("die")
    session.join()
    assert isinstance(session.error, ServiceExitedError)
    assert session.error.service == "store"
    assert [event.replica for event in session.of(e.ReplicaFailed)] == ["store"]


def test_all_mistakes_of_a_file_are_told_before_there_is_a_session(bench: Bench) -> None:
    session = bench.session("services: {web: {command: [x, '{{ nope }}', '{{ ports.http }}']}}")
    error = session.fails()
    assert isinstance(error, SpecError)
    assert [found.message for found in error.diagnostics] == ["there is no 'nope' here", "ports has no 'http'"]
    assert [type(event) for event in session.events] == [e.SessionFailed]
    assert not bench.state.exists()


def test_a_wrong_shape_does_not_hide_wrong_texts(bench: Bench) -> None:
    error = bench.session("services: {web: {command: [x, '{{ nope }}'], nope: 1}}").fails()
    assert isinstance(error, SpecError)
    assert [found.code for found in error.diagnostics] == ["template", "unknown-key"]
