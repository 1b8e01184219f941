"""Faults as methods of a live service: in the process of the session, and over its control socket."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from envspec.agent.identity import stat_fields
from envspec.errors import EnvspecError, ServiceWaitError, UsageError
from envspec.plan import events as e
from envspec.session.control import Control
from envspec.session.live import Environment, Service
from tests.session.running import Bench, Running, eventually, is_gone

SERVICES = """
services:
  store:
    command: [sh, -c, "date +%s%N > born; mkdir -p data/deep; echo old > data/deep/file; echo mine >> notes; sleep 100"]
    files: {notes: "as written\\n"}
    health: [{exec: {command: [test, -e, data/deep/file]}}]
  engine:
    command: [sh, -c, "sh -c 'exec sleep 1001' & first=$!; sleep 1002 & wait $first; exit 7"]
  other: {command: [sleep, "100"]}
"""


@pytest.fixture
def session(bench: Bench) -> Running:
    return bench.session(SERVICES).up()


@pytest.fixture(params=["in the same process", "over the control socket"])
def live(session: Running, request: pytest.FixtureRequest) -> Environment:
    over_socket = request.param == "over the control socket"
    return Environment(Control(Path(session.background.status().dir)) if over_socket else session.background)


def directory(live: Environment, replica: str) -> Path:
    return live.dir / "replicas" / replica


def test_a_stopped_service_can_be_started_with_what_it_had(live: Environment) -> None:
    store = live["store"]
    store.stop()
    assert (store.state, store.pid) == ("stopped", None)
    assert (directory(live, "store") / "data/deep/file").exists()
    store.start()
    assert store.state == "healthy"
    assert live.state == "healthy"


def test_wiping_removes_what_the_service_made_and_renders_its_files_again(live: Environment, tmp_path: Path) -> None:
    mine = directory(live, "store")
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "kept").touch()
    (mine / "link").symlink_to(precious)
    live["store"].stop(wipe=True)
    assert list(mine.iterdir()) == []
    assert (precious / "kept").exists()
    live["store"].start()
    assert (mine / "notes").read_text() == "as written\nmine\n"


def test_a_restart_wipes_only_when_told_to(live: Environment) -> None:
    notes = directory(live, "store") / "notes"
    (notes.parent / "left").touch()
    live["store"].restart()
    assert (notes.parent / "left").exists()
    live["store"].restart(wipe=True)
    assert not (notes.parent / "left").exists()
    assert live["store"].state == "healthy"


def test_the_directory_of_another_replica_is_left_alone(live: Environment) -> None:
    (directory(live, "other") / "kept").touch()
    live["store"].restart(wipe=True)
    assert (directory(live, "other") / "kept").exists()


def test_a_child_is_killed_and_its_parent_that_dies_of_it_has_died_as_ordered(
    live: Environment, session: Running
) -> None:
    engine = live["engine"]
    engine.kill_child("sleep 1001")
    assert engine.wait_exited(timeout=20) == 7
    exited = session.wait(e.ReplicaExited, replica="engine")
    assert (exited.exit_code, exited.ordered, exited.expected) == (7, True, True)
    assert session.of(e.ReplicaFailed) == []
    (ordered,) = session.of(e.FaultOrdered)
    assert (ordered.action, ordered.signal) == ("kill_child", "KILL")
    assert ordered.child.endswith("sleep 1001")


def test_a_child_that_takes_another_signal_is_known_by_its_name(live: Environment, session: Running) -> None:
    live["engine"].kill_child("1002", signal="STOP")
    (ordered,) = session.of(e.FaultOrdered)
    pid = int(ordered.child.split()[0])
    eventually(lambda: stat_fields(pid)[0] == "T")
    assert live["engine"].state == "healthy"


@pytest.mark.parametrize("term", [signal.SIGTERM, 15, "TERM", "SIGTERM"])
def test_a_signal_may_be_a_name_a_number_or_one_of_the_module_signal(session: Running, term: str | int) -> None:
    live = Environment(session.background)
    live["engine"].kill_child("1002", term)
    live["other"].kill(term)
    assert live["other"].wait_exited("20s") == "SIGTERM"
    assert {(order.action, order.signal) for order in session.of(e.FaultOrdered)} == {
        ("kill_child", "TERM"),
        ("kill", "TERM"),
    }


def test_a_number_that_is_no_signal_is_refused(live: Environment) -> None:
    with pytest.raises(UsageError, match="there is no signal 99"):
        live["other"].kill(99)


NO_AMOUNTS: list[tuple[Callable[[Service], object], str]] = [
    (lambda web: web.endpoint().throttle(math.inf), r"throttle\(\) takes bytes, or a text such as '64KB', not inf"),
    (lambda web: web.endpoint().latency(math.inf), r"latency\(\) takes seconds, or a text such as '200ms', not inf"),
    (lambda web: web.endpoint().latency(None), r"latency\(\) takes seconds, .* not None"),  # type: ignore[arg-type]
    (lambda web: web.endpoint().latency(1, jitter=math.nan), "jitter= takes seconds, .* not nan"),
    (lambda web: web.endpoint().latency("2"), r"latency\(\): .*a duration needs a unit"),
    (lambda web: web.endpoint().reset(after_bytes=math.nan), "after_bytes= takes bytes, .* not nan"),  # type: ignore[arg-type]
    (lambda web: web.wait_exited("2"), r"wait_exited\(\): .*a duration needs a unit"),
    (lambda web: web.wait_healthy(None), r"wait_healthy\(\) takes seconds, .* not None"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("ask", "said"), NO_AMOUNTS)
def test_what_is_no_time_and_no_size_is_refused_with_what_to_write(
    session: Running, ask: Callable[[Service], object], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        ask(Environment(session.background)["other"])


def stop_twice(service: Service) -> None:
    service.stop()
    service.stop()


REFUSALS: list[Callable[[Service], object]] = [
    lambda other: other.kill("NONE"),
    lambda other: other.kill(99),
    lambda other: other.kill_child("x"),
    lambda other: other.start(),
    stop_twice,
    lambda other: other.endpoint().drop(),
    lambda other: other.endpoint().latency("2"),
    lambda other: other.endpoint().heal(),
    lambda other: other.wait_exited(0),
]


@pytest.mark.parametrize("ask", REFUSALS)
def test_a_refusal_shows_the_line_of_the_test_and_none_of_ours(
    live: Environment, ask: Callable[[Service], object]
) -> None:
    with pytest.raises(EnvspecError) as caught:
        ask(live["other"])
    assert {str(entry.path) for entry in caught.traceback.filter(caught)} == {__file__}


def test_what_a_session_that_is_over_does_not_become_is_said_at_once(session: Running) -> None:
    other = Environment(session.background)["other"]
    session.stop()
    with pytest.raises(ServiceWaitError, match=r"other did not become healthy, for its session is over: other is"):
        other.wait_healthy(timeout=math.inf)


def test_a_stop_is_not_followed_by_a_restart_and_a_kill_is(bench: Bench) -> None:
    session = bench.session("services: {web: {command: [sleep, '100'], restart: {on: always}}}").up()
    web = Environment(session.background)["web"]
    web.kill()
    session.wait_count(e.ReplicaHealthy, 2)
    web.stop()
    assert web.state == "stopped"
    web.start()
    assert session["web"].starts == 3


def test_a_child_that_is_not_there_or_not_alone_is_refused_with_those_that_are(
    live: Environment, session: Running
) -> None:
    with pytest.raises(UsageError, match="no process below engine has 'EngineCore'") as caught:
        live["engine"].kill_child("EngineCore")
    assert "sleep 1001" in caught.value.hint
    assert "sleep 1002" in caught.value.hint
    with pytest.raises(UsageError, match="2 processes below engine match 'sleep'"):
        live["engine"].kill_child("sleep")
    with pytest.raises(UsageError, match="no process below other has 'x'") as lonely:
        live["other"].kill_child("x")
    assert lonely.value.hint == "nothing is below it"
    assert session.of(e.FaultOrdered) == []
    assert live.state == "healthy"


def test_a_service_is_down_within_a_with_and_up_again_behind_it(live: Environment) -> None:
    with live["store"].stopped() as store:
        assert store.pid is None
        assert live["other"].state == "healthy"
    assert live["store"].state == "healthy"


def test_what_a_with_did_is_undone_also_when_its_body_raises(live: Environment) -> None:
    with pytest.raises(ZeroDivisionError), live["store"].stopped():
        _ = 1 / 0
    assert live["store"].state == "healthy"
    with pytest.raises(ZeroDivisionError), live["store"].paused():
        _ = 1 / 0
    eventually(lambda: stat_fields(live["store"].pid or 0)[0] != "T")


def test_what_the_body_undid_itself_is_not_undone_again(live: Environment) -> None:
    with live["store"].stopped() as store:
        store.start()
    with live["store"].paused() as store:
        store.kill()
    assert live["store"].state == "exited"


def test_a_body_s_own_error_is_raised_also_where_the_service_does_not_come_back(session: Running) -> None:
    store = Environment(session.background)["store"]

    def body() -> None:
        with store.stopped():
            session.background.stop("gone meanwhile")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        body()
    assert "and then: the session of" in caught.value.__notes__[0]


def test_an_exit_is_awaited_and_told(live: Environment) -> None:
    live["other"].kill("TERM")
    assert live["other"].wait_exited(timeout=20) == "SIGTERM"
    assert live["other"].wait_exited(timeout=20) == "SIGTERM"
    live["other"].start()
    live["other"].kill()
    assert live["other"].wait_exited(timeout=0) == "SIGKILL"


def test_waiting_in_vain_says_the_state_and_the_last_answer(live: Environment) -> None:
    with pytest.raises(ServiceWaitError, match=r"other did not exit within 10 ms: other is healthy\n") as caught:
        live["other"].wait_exited(timeout=0.01)
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.service == "other"
    in_vain = pytest.raises(ServiceWaitError, match=r"store did not become healthy .*: store is healthy and paused\n")
    with live["store"].paused() as store, in_vain:
        store.wait_healthy(timeout=0.01)
    live["other"].kill()
    with pytest.raises(ServiceWaitError, match=r"other is exited \(SIGKILL\)"):
        live["other"].wait_healthy(timeout=0.01)


def test_a_service_that_restarts_by_itself_is_awaited(bench: Bench) -> None:
    session = bench.session(
        """
        services:
          web:
            command: [sleep, "100"]
            replicas: 2
            health: [{exec: {command: [sh, -c, "test ! -e $BENCH/broken"]}}]
            restart: {on: failure}
        """
    ).up()
    web = Environment(session.background)["web"]
    before = [replica.pid for replica in web.replicas]
    bench.touch("broken")
    web.kill()
    session.wait_count(e.ReplicaSpawned, 4)
    assert [replica.wait_exited(timeout=20) for replica in web.replicas] == ["SIGKILL", "SIGKILL"]
    session.wait_count(e.CheckAnswered, 2, passed=False)
    with pytest.raises(ServiceWaitError, match=r"web.0 is starting \(.*exec.* says: .*exit"):
        web.wait_healthy(timeout=0.01)
    (bench.path / "broken").unlink()
    web.wait_healthy(timeout=20)
    assert all(map(is_gone, filter(None, before)))
    assert {replica.state for replica in web.replicas} == {"healthy"}
    with pytest.raises(UsageError, match="web has 2 replicas"):
        web.wait_exited()


PAUSED = """
services:
  web:
    command: [sleep, "100"]
    health: [{exec: {command: [sh, -c, "test ! -e $BENCH/silent"]}}]
    liveness: {every: 20ms, failures: 2}
"""


@pytest.mark.parametrize("what", ["paused", "hanging"])
def test_a_paused_service_that_fails_its_liveness_has_not_crashed(bench: Bench, what: str) -> None:
    session = bench.session(PAUSED).up()
    if what == "paused":
        session.background.fault("pause", "web")
    bench.touch("silent")
    unhealthy = session.wait(e.ReplicaUnhealthy)
    session.wait(e.SessionDegraded)
    assert unhealthy.ordered is (what == "paused")
    assert bool(session.of(e.ReplicaFailed)) is (what == "hanging")


REFUSED: list[tuple[Callable[[Running], None], str]] = [
    (lambda session: session.background.fault("kill", "store", wipe=True), "kill wipes nothing"),
    (lambda session: session.background.fault("kill_child", "store"), "kill_child needs a part"),
]


@pytest.mark.parametrize(("order", "said"), REFUSED)
def test_an_order_that_makes_no_sense_is_refused(session: Running, order: Callable[[Running], None], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        order(session)
    assert session.of(e.FaultOrdered) == []
