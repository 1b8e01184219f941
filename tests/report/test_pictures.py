"""The pictures that stay: an environment that is up, the sessions of this user, an error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from envspec.errors import ServiceExitedError
from envspec.plan import events as e
from envspec.plan.plan import Endpoint, Plan
from envspec.report.failure import failure
from envspec.report.sessions import sessions_table
from envspec.report.stopping import waited_for
from envspec.report.summary import summary, where_to_open
from envspec.report.text import plain
from envspec.session.status import SessionStatus, apply, planned


@pytest.fixture
def status(plan: Plan, events: list[e.Event]) -> SessionStatus:
    current = planned(SessionStatus("local-k3f9a", "local", file=plan.file), plan)
    for event in events:
        current = apply(current, event)
    return current


def test_an_environment_that_is_up_says_what_is_where(status: SessionStatus, plan: Plan) -> None:
    assert plain(summary(status, plan, detached=False, limit=100)) == (
        "● local is healthy in 4.00 s  local-k3f9a\n"
        "\n"
        "  SERVICE   PORT    WHERE                   PID\n"
        "  etcd      client  http://127.0.0.1:20001  4004\n"
        "            peer    127.0.0.1:20002\n"
        "  worker.0  system  127.0.0.1:20010         4008\n"
        "            kv      127.0.0.1:20020-20021\n"
        "  worker.1  system  127.0.0.1:20011         4008\n"
        "            kv      127.0.0.1:20020-20021\n"
        "  frontend  http    http://127.0.0.1:20030  4008\n"
        "\n"
        "  open  http://127.0.0.1:20030  frontend\n"
        "  logs  envspec logs -f\n"
        "  stop  Ctrl-C\n"
    )


def test_a_detached_one_says_how_to_reach_it_again(status: SessionStatus, plan: Plan) -> None:
    picture = plain(summary(status, plan, detached=True, limit=100))

    assert "logs  envspec logs -f --session local-k3f9a" in picture
    assert "stop  envspec down local-k3f9a" in picture


def test_without_a_ready_over_http_the_services_that_nobody_needs_are_opened(plan: Plan) -> None:
    assert where_to_open(replace(plan, ready=())) == [("http://127.0.0.1:20030", "frontend")]


def test_a_path_prefix_of_an_attached_service_is_part_of_its_url(plan: Plan) -> None:
    attached = Endpoint("http", "https", "example.org", 443, "/v1")
    frontend = plan.services[-1]
    elsewhere = replace(frontend, replicas=(replace(frontend.replicas[0], endpoints={"http": (attached,)}),))
    changed = replace(plan, services=(*plan.services[:-1], elsewhere), ready=())

    assert where_to_open(changed) == [("https://example.org:443/v1", "frontend")]


def test_every_port_is_there_and_the_first_urls_to_open(wide_plan: Callable[[int], Plan]) -> None:
    plan = wide_plan(10)
    picture = plain(summary(planned(SessionStatus("wide-1", "wide"), plan), plan, detached=False, limit=80))

    assert [f"worker.{i}  http  http://127.0.0.1:2000{i}" in picture for i in range(10)] == [True] * 10
    assert picture.endswith(
        "  open  http://127.0.0.1:20000  worker.0\n"
        "  open  http://127.0.0.1:20001  worker.1\n"
        "  open  http://127.0.0.1:20002  worker.2\n"
        "        … and 7 more\n"
        "  logs  envspec logs -f\n"
        "  stop  Ctrl-C\n"
    )


def test_urls_of_one_replica_say_which_port_they_are(plan: Plan) -> None:
    frontend = plan.services[-1].replicas[0]
    more = replace(frontend, endpoints={**frontend.endpoints, "admin": (Endpoint("admin", "http", "127.0.0.1", 7),)})
    changed = replace(plan, services=(*plan.services[:-1], replace(plan.services[-1], replicas=(more,))), ready=())

    assert [name for _, name in where_to_open(changed)] == ["frontend http", "frontend admin"]


def test_a_narrow_terminal_leaves_out_the_pids(status: SessionStatus, plan: Plan) -> None:
    picture = plain(summary(status, plan, detached=False, limit=44))

    assert "PID" not in picture
    assert "  etcd      client  http://127.0.0.1:20001\n" in picture


def test_a_terminal_that_is_narrower_has_ports_below_their_services(status: SessionStatus, plan: Plan) -> None:
    picture = plain(summary(status, plan, detached=False, limit=40))

    assert "SERVICE" not in picture
    assert "  etcd\n    client  http://127.0.0.1:20001\n    peer    127.0.0.1:20002\n  worker.0\n" in picture


def test_ps_lists_every_port_of_every_session_by_name(status: SessionStatus) -> None:
    assert plain(sessions_table([status, replace(status, id="local-zzzzz", pid=None)], now=1034.0, limit=100)) == (
        "● local-k3f9a  healthy  up 34.0 s  pid 77  /p/environments/local.yaml\n"
        "  ●  etcd      healthy  4004  client http://127.0.0.1:20001  peer 127.0.0.1:20002\n"
        "  ●  worker.0  healthy  4008  system 127.0.0.1:20010  kv 127.0.0.1:20020-20021\n"
        "  ●  worker.1  healthy  4008  system 127.0.0.1:20011  kv 127.0.0.1:20020-20021\n"
        "  ●  frontend  healthy  4008  http http://127.0.0.1:20030\n"
        "\n"
        "● local-zzzzz  healthy  up 34.0 s  /p/environments/local.yaml\n"
        "  ●  etcd      healthy  4004  client http://127.0.0.1:20001  peer 127.0.0.1:20002\n"
        "  ●  worker.0  healthy  4008  system 127.0.0.1:20010  kv 127.0.0.1:20020-20021\n"
        "  ●  worker.1  healthy  4008  system 127.0.0.1:20011  kv 127.0.0.1:20020-20021\n"
        "  ●  frontend  healthy  4008  http http://127.0.0.1:20030\n"
    )


def test_a_port_says_that_a_relay_stands_before_it(status: SessionStatus, plan: Plan) -> None:
    frontend = replace(status.services["frontend"], relayed=("http",))
    status = replace(status, services={**status.services, "frontend": frontend})
    assert "http http://127.0.0.1:20030 (relay)\n" in plain(sessions_table([status], now=1034.0, limit=100))
    assert "http://127.0.0.1:20030 (relay)" in plain(summary(status, plan, detached=False, limit=100))


def test_ps_breaks_lines_between_ports(status: SessionStatus) -> None:
    assert plain(sessions_table([status], now=1034.0, limit=60)) == (
        "● local-k3f9a  healthy  up 34.0 s  pid 77\n"
        "  /p/environments/local.yaml\n"
        "  ●  etcd      healthy  4004  client http://127.0.0.1:20001\n"
        "                              peer 127.0.0.1:20002\n"
        "  ●  worker.0  healthy  4008  system 127.0.0.1:20010\n"
        "                              kv 127.0.0.1:20020-20021\n"
        "  ●  worker.1  healthy  4008  system 127.0.0.1:20011\n"
        "                              kv 127.0.0.1:20020-20021\n"
        "  ●  frontend  healthy  4008  http http://127.0.0.1:20030\n"
    )


def test_where_there_is_no_room_the_pid_gives_way_not_the_state(status: SessionStatus) -> None:
    picture = plain(sessions_table([status], now=1034.0, limit=57))

    assert "  ●  etcd      healthy  client http://127.0.0.1:20001\n" in picture
    assert "4004" not in picture


def test_where_there_is_no_room_at_all_ports_stand_on_lines_of_their_own(status: SessionStatus) -> None:
    picture = plain(sessions_table([status], now=1034.0, limit=40))

    assert (
        "  ●  etcd      healthy\n"
        "       client http://127.0.0.1:20001\n"
        "       peer 127.0.0.1:20002\n"
        "  ●  worker.0  healthy\n"
    ) in picture


def test_an_error_is_its_sentence_its_facts_and_its_hint() -> None:
    error = ServiceExitedError(
        "worker.0 exited with code 3\n\n  log      /l/worker.0.log:\n  │ no\x1b[2J",
        service="worker.0",
        hint="look\nhere",
    )

    assert plain(failure(error)) == (
        "error: worker.0 exited with code 3\n\n  log      /l/worker.0.log:\n  │ no\n\nhint: look\n      here\n"
    )


def test_sessions_show_which_of_their_replicas_are_being_stopped(status: SessionStatus) -> None:
    picture = plain(
        sessions_table([apply(status, e.ReplicaStopping(replica="frontend", signal="TERM"))], now=0.0, limit=100)
    )

    assert "◐  frontend  stopping" in picture
    assert "●  etcd      healthy" in picture


def test_a_stop_that_takes_long_says_who_is_waited_for(status: SessionStatus) -> None:
    assert waited_for(status) == ""
    stopping = apply(status, e.ReplicaStopping(replica="frontend", signal="TERM"))
    assert waited_for(stopping) == "stopping local: waiting for frontend (up to 10.0 s)"
    for name in ("etcd", "worker.0", "worker.1"):
        stopping = apply(stopping, e.ReplicaStopping(replica=name, signal="TERM"))
    assert waited_for(stopping) == "stopping local: waiting for etcd, worker.0, worker.1 and 1 more (up to 10.0 s)"
