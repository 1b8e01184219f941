"""Who starts when."""

from __future__ import annotations

from pathlib import Path

import pytest

from envspec.errors import EnvironmentNotReadyError, ModelUnavailableError
from envspec.plan import events as e
from tests.session.running import Bench, eventually

GATED = """
services:
  slow:
    command: [sleep, "100"]
    health: [{exec: {command: [test, -e, "{{ env.BENCH }}/open"]}}]
  quick: {command: [sleep, "100"]}
  behind_quick: {command: [sleep, "100"], depends_on: [quick]}
  behind_both: {command: [sleep, "100"], depends_on: [slow, behind_quick]}
"""


def test_a_service_waits_for_its_own_conditions_and_for_nothing_else(bench: Bench) -> None:
    session = bench.session(GATED).begin()
    session.wait(e.ReplicaHealthy, replica="behind_quick")
    assert set(session.starts()) == {"slow", "quick", "behind_quick"}
    bench.touch("open")
    session.join()
    assert session.starts()[-1] == "behind_both"
    assert session.background.status().state == "healthy"


def test_who_waits_says_for_whom_and_who_came_last(bench: Bench) -> None:
    session = bench.session(GATED).begin()
    session.wait(e.ReplicaHealthy, replica="behind_quick")
    session.wait(e.ReplicaWaiting, replica="behind_both", waits_for=("slow healthy",))
    assert session["behind_both"].waits_for == ("slow healthy",)
    bench.touch("open")
    session.join()
    waits = [event.waits_for for event in session.of(e.ReplicaWaiting, replica="behind_both")]
    assert waits == [("slow healthy", "behind_quick started"), ("slow healthy",)]
    assert session.wait(e.ReplicaStarting, replica="behind_both").last == "slow"


def test_a_dependency_on_replicas_is_one_on_all_of_them(bench: Bench) -> None:
    session = bench.session(
        """
        services:
          worker:
            command: [sleep, "100"]
            replicas: 2
            health: [{exec: {command: [test, -e, "{{ env.BENCH }}/{{ replica.name }}"]}}]
          front: {command: [sleep, "100"], depends_on: [worker]}
        """
    ).begin()
    bench.touch("worker.0")
    session.wait(e.ReplicaHealthy, replica="worker.0")
    assert session["front"].state == "waiting"
    bench.touch("worker.1")
    session.join()
    assert session.index(e.ReplicaHealthy, replica="worker.1") < session.index(e.ReplicaStarting, replica="front")


def test_ordered_replicas_start_one_after_the_other_and_stop_backwards(bench: Bench) -> None:
    session = bench.session(
        """
        services:
          member: {command: [sleep, "100"], replicas: 3, start: ordered, health: [{exec: {command: ["true"]}}]}
        """
    ).up()
    order = [
        type(x).__name__ + x.replica for x in session.events if isinstance(x, e.ReplicaStarting | e.ReplicaHealthy)
    ]
    assert order == [f"Replica{what}member.{n}" for n in range(3) for what in ("Starting", "Healthy")]
    session.stop()
    assert [x.replica for x in session.of(e.ReplicaStopped)] == ["member.2", "member.1", "member.0"]


def test_tasks_are_done_before_those_that_need_them_start(bench: Bench) -> None:
    session = bench.session(
        """
        services:
          certs: {kind: task, command: [sh, -c, "echo secret > ca.pem"]}
          server: {command: [sh, -c, "cat {{ services.certs.dir }}/ca.pem; exec sleep 100"], depends_on: [certs]}
        """
    ).up()
    assert session["certs"].state == "succeeded"
    assert session.of(e.ReplicaExited, replica="certs")[0].expected
    assert session.index(e.ReplicaSucceeded) < session.index(e.ReplicaStarting, replica="server")
    eventually(lambda: session.log("server") == "secret\n")


def test_a_task_that_fails_is_no_failure_where_somebody_waits_for_its_mere_end(bench: Bench) -> None:
    session = bench.session(
        """
        services:
          probe: {kind: task, command: [sh, -c, "exit 7"]}
          after: {command: [sleep, "100"], depends_on: {probe: exited}}
        """
    ).up()
    assert (session["probe"].state, session["probe"].exit_code) == ("exited", 7)
    assert session.background.status().state == "healthy"


def test_what_is_disabled_or_has_no_replicas_is_waited_for_by_nobody(bench: Bench) -> None:
    session = bench.session(
        """
        services:
          off: {command: [sleep, "100"], enabled: false}
          none: {command: [sleep, "100"], replicas: 0}
          on: {command: [sleep, "100"], depends_on: [off, none]}
        """
    ).up()
    assert session.starts() == ["on"]


def test_a_model_is_on_disk_before_the_service_that_names_it_starts(bench: Bench) -> None:
    session = bench.session(
        """
        models: {chat: {synthetic: {architecture: qwen3}}}
        services:
          quick: {command: [sleep, "100"]}
          engine: {command: [sh, -c, "ls {{ models.chat.path }}; exec sleep 100"]}
        """
    ).up()
    eventually(lambda: "config.json" in session.log("engine"))
    assert session.of(e.ReplicaStarting, replica="engine")[0].last == "models.chat"
    assert session.index(e.ReplicaStarting, replica="quick") < session.index(e.ModelReady)


def test_a_model_that_cannot_be_made_ends_the_start(bench: Bench) -> None:
    (bench.path / "cache").write_text("a file where a directory should be")
    session = bench.session(
        """
        models: {chat: {synthetic: {architecture: qwen3}}}
        services: {engine: {command: [sleep, "100"], models: [chat]}}
        """
    )
    assert isinstance(session.fails(), ModelUnavailableError)
    assert session.starts() == []


def test_the_environment_is_healthy_when_ready_has_passed(bench: Bench) -> None:
    session = bench.session(
        """
        services: {web: {command: [sleep, "100"]}}
        ready: [{exec: {command: [test, -e, "{{ env.BENCH }}/open"]}}]
        """
    ).begin()
    session.wait(e.CheckAnswered, replica="", passed=False)
    assert session.background.status().state == "starting"
    bench.touch("open")
    session.join()
    assert session.error is None


def test_an_environment_that_never_becomes_ready_says_what_ready_said(bench: Bench) -> None:
    session = bench.session(
        """
        start_timeout: 300ms
        services: {web: {command: [sleep, "100"]}}
        ready: [{exec: {command: [sh, -c, "echo not today; exit 4"]}}]
        """
    )
    error = session.fails()
    assert isinstance(error, EnvironmentNotReadyError)
    assert str(error).startswith("every service of env is healthy, but `ready` did not pass within 0.30 s")
    assert "not today" in str(error)
    assert session.background.status().state == "failed"


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}/prefix", "http://localhost:{port}"])
def test_an_attached_service_is_validated_and_neither_started_nor_stopped(bench: Bench, url: str) -> None:
    server = bench.session(
        """
        services:
          web:
            command: [python, -m, http.server, "{{ ports.http }}", --bind, 127.0.0.1]
            ports: {http: auto}
            health: [{tcp: {port: http}}]
        """,
        "server",
    ).up()
    there = url.format(port=server["web"].ports["http"])
    session = bench.session(
        f"""
        services:
          web:
            attach: {{url: "{there}"}}
            ports: {{http: auto}}
            health: [{{tcp: {{port: http}}}}]
        """
    ).up()
    assert session["web"].state == "healthy"
    assert session["web"].endpoints["http"] == there
    session.stop()
    assert session.of(e.ReplicaSpawned) == []
    assert session.of(e.ReplicaStopping) == []
    assert server["web"].state == "healthy"


def test_commands_ask_an_attached_service_how_it_is(bench: Bench) -> None:
    session = bench.session(
        """
        services:
          web:
            attach: {url: "http://127.0.0.1:9"}
            ports: {http: auto}
            health: [{exec: {shell: 'test "$PWD" = {{ replica.dir }}'}}]
            after_healthy: [{exec: {command: [touch, "{{ replica.dir }}/asked"]}}]
        """
    ).up()
    assert (Path(session.background.status().dir) / "replicas/web/asked").exists()
