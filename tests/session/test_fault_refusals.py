"""What methods of a live service take, and what they say of what makes no sense."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable
from typing import Any

import pytest

from envspec.errors import EnvspecError, UsageError
from envspec.plan import events as e
from envspec.session.live import Environment, Service
from tests.session.faulty import SERVICES
from tests.session.running import Bench, Running

WIRED = f'{SERVICES}  wired: {{command: [sleep, "100"], ports: {{http: auto}}}}\n'


@pytest.fixture
def session(bench: Bench) -> Running:
    return bench.session(WIRED).up()


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
    (lambda web: web.endpoint().latency(-1), r"latency\(\) takes seconds, .* not -1"),
    (lambda web: web.endpoint().latency("-1s"), r"latency\(\): a duration is never negative, as -1s is"),
    (lambda web: web.endpoint().throttle("-1KB"), r"throttle\(\): a size is never negative, as -1KB is"),
    (lambda web: web.endpoint(None), r"endpoint\(\) takes the name of a port of wired, .* not None"),  # type: ignore[arg-type]
    (lambda web: web.endpoint("").heal(), r"endpoint\(\) takes the name of a port of wired, .* not ''"),
    (lambda web: web.wait_exited("2"), r"wait_exited\(\): .*a duration needs a unit"),
    (lambda web: web.endpoint().throttle("64"), r"throttle\(\): a size needs a unit: 64KB\? \(written like 64KB 1MB\)"),
    (lambda web: web.wait_healthy(-1), r"wait_healthy\(\) takes seconds, .* not -1"),
    (lambda web: web.wait_exited(-1), r"wait_exited\(\) takes seconds, .* not -1"),
    (lambda web: web.wait_healthy(None), r"wait_healthy\(\) takes seconds, .* not None"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("ask", "said"), NO_AMOUNTS)
def test_what_is_no_time_and_no_size_is_refused_with_what_to_write(
    session: Running, ask: Callable[[Service], object], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        ask(Environment(session.background)["wired"])


def test_an_endpoint_that_is_not_there_is_said_when_it_is_asked_for(session: Running) -> None:
    live = Environment(session.background)
    for service, port, ports in (("other", "http", "none"), ("wired", "grpc", "http")):
        with pytest.raises(UsageError, match=f"{service} has no port '{port}'") as caught:
            live[service].endpoint(port)
        assert caught.value.hint == f"its ports: {ports}"


@pytest.mark.parametrize("action", ["stop", "restart", "stopped"])
def test_what_is_no_bool_wipes_nothing(live: Environment, session: Running, action: str) -> None:
    kept = live.dir / "replicas" / "store" / "data/deep/file"
    with pytest.raises(UsageError, match="wipe= is True or False, not 'no'"):
        _entered(getattr(live["store"], action), wipe="no")
    assert kept.exists()
    assert session.of(e.FaultOrdered) == []


def _entered(method: Callable[..., Any], **arguments: object) -> None:
    made = method(**arguments)
    if made is not None:
        made.__enter__()


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


REFUSED: list[tuple[Callable[[Running], None], str]] = [
    (lambda session: session.background.fault("kill", "store", wipe=True), "kill wipes nothing"),
    (lambda session: session.background.fault("kill_child", "store"), "kill_child needs a part"),
]


@pytest.mark.parametrize(("order", "said"), REFUSED)
def test_an_order_that_makes_no_sense_is_refused(session: Running, order: Callable[[Running], None], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        order(session)
    assert session.of(e.FaultOrdered) == []


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
