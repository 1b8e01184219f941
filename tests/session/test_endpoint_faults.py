"""What is done on purpose to what passes between a service and its users, against real servers and connections."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from envspec.errors import UsageError
from envspec.plan import events as e
from envspec.session.detach import start_detached
from envspec.session.live import Environment
from envspec.session.live_endpoint import LiveEndpoint
from tests.session.lent import Lent
from tests.session.running import Bench, Running, eventually
from tests.session.wire import SERVICES, answer, ask, connected, is_cut, piece, received, silent, soon


@pytest.fixture
def session(bench: Bench) -> Running:
    return bench.session(SERVICES).up()


@pytest.fixture
def endpoint(environment: Environment) -> LiveEndpoint:
    return environment["web"].endpoint("http")


def test_latency_delays_answers_and_ends_with_the_block(live: Environment, session: Running) -> None:
    endpoint = live["web"].endpoint("http")
    with connected(live) as old, connected(live) as new:
        ask(old, "first/10")
        assert answer(old) == 10
        with endpoint.latency("10m", jitter="1s"):
            ask(old, "late/10")
            ask(new, "late/20")
            eventually(lambda: "asked for /late/20" in live["web"].logs(), "the questions, which are not delayed")
            with silent(old):
                pass
        assert (answer(old), answer(new)) == (10, 20)
    told = [event for event in session.of(e.FaultOrdered) if event.endpoint]
    assert [(event.replica, event.endpoint, event.action, event.detail) for event in told] == [
        ("web", "http", "latency", "10 min 0 s ± 1.00 s"),
        ("web", "http", "heal", "latency"),
    ]


def test_what_is_late_does_come(environment: Environment, endpoint: LiveEndpoint) -> None:
    endpoint.latency(0.2, jitter=0.1)
    with connected(environment) as one:
        ask(one, "late/500000")
        assert answer(one) == 500_000


def test_while_dropped_nothing_passes_and_afterwards_everything_does(live: Environment) -> None:
    endpoint = live["web"].endpoint("http")
    with connected(live) as old, ExitStack() as later:
        ask(old, "before/10")
        assert answer(old) == 10
        with endpoint.drop():
            new = later.enter_context(connected(live))
            with silent(old), silent(new):
                ask(old, "unheard/20")
                ask(new, "unheard/30")
            assert "unheard" not in live["web"].logs()
        assert (answer(old), answer(new)) == (20, 30)


def test_who_gives_up_while_nothing_passes_was_never_heard_of(environment: Environment, endpoint: LiveEndpoint) -> None:
    with endpoint.drop():
        with connected(environment) as impatient, silent(impatient):
            ask(impatient, "never/10")
        with connected(environment) as patient, silent(patient):
            pass
    with connected(environment) as one:
        ask(one, "after/10")
        assert answer(one) == 10
    assert "never" not in environment["web"].logs()


def test_a_throttled_transfer_is_overtaken_by_one_that_began_later(
    environment: Environment, endpoint: LiveEndpoint
) -> None:
    size = 3_000_000
    with connected(environment) as large, connected(environment) as small:
        with endpoint.throttle("10KB"):
            ask(large, f"large/{size}")
            assert large.recv(1)
            ask(small, "small/100")
            assert answer(small) == 100
            came = 1 + soon(large, 150_000)
            assert came < 150_000  # which takes 15 seconds
        while came < size:
            came += len(piece(large))


def test_a_reset_cuts_connections_that_are_there_and_those_that_come(live: Environment) -> None:
    endpoint = live["web"].endpoint("http")
    with connected(live) as old:
        ask(old, "before/10")
        assert answer(old) == 10
        with endpoint.reset():
            assert received(old) == 0
            assert is_cut(live)
    with connected(live) as one:
        ask(one, "after/10")
        assert answer(one) == 10


def test_a_reset_after_some_bytes_lets_exactly_these_pass(environment: Environment, endpoint: LiveEndpoint) -> None:
    with connected(environment) as old:
        ask(old, "before/1000")
        assert answer(old) == 1000
        with endpoint.reset(after_bytes="2KB"), connected(environment) as new:
            for connection in (old, new):
                ask(connection, "cut/500000")
            assert (received(old), received(new)) == (2000, 2000)


def test_faults_add_up_and_heal_ends_them_all(environment: Environment, endpoint: LiveEndpoint) -> None:
    endpoint.latency("10m")
    with endpoint.drop():
        pass
    with connected(environment) as one:
        with silent(one):
            ask(one, "late/10")
        endpoint.heal()
        assert answer(one) == 10


def test_a_fault_within_one_of_the_same_kind_gives_way_to_it_again(
    environment: Environment, endpoint: LiveEndpoint
) -> None:
    with endpoint.latency("10m"):
        with endpoint.latency(0.01), connected(environment) as one:
            ask(one, "soon/10")
            assert answer(one) == 10
        with connected(environment) as one, silent(one):
            ask(one, "late/10")
    with connected(environment) as one:
        ask(one, "after/10")
        assert answer(one) == 10


def test_the_service_stays_healthy_whatever_is_done_to_its_endpoint(session: Running, environment: Environment) -> None:
    with environment["web"].endpoint("http").drop():
        asked = environment["web"].logs().count("/health/")
        eventually(lambda: environment["web"].logs().count("/health/") > asked + 5, "more health checks")
    assert not session.of(e.ReplicaUnhealthy)
    assert environment.state == "healthy"


def test_of_a_service_all_replicas_are_meant(environment: Environment, session: Running) -> None:
    with environment["twins"].endpoint("http").reset():
        for name in ("twins.0", "twins.1"):
            assert is_cut(environment, name)
    with environment["twins.1"].endpoint("http").reset(), connected(environment, "twins.0") as other:
        ask(other, "")
        assert answer(other)
    ordered = [event.replica for event in session.of(e.FaultOrdered, action="reset")]
    assert sorted(ordered[:2]) == ["twins.0", "twins.1"]
    assert ordered[2:] == ["twins.1"]


def test_a_fault_of_an_endpoint_is_none_of_the_service(session: Running, endpoint: LiveEndpoint) -> None:
    session.background.fault("kill", "web")
    before = session["web"]
    with endpoint.latency(0.1):
        assert session["web"] == before


def test_the_error_of_the_body_is_raised_and_the_fault_ends_nevertheless(
    environment: Environment, endpoint: LiveEndpoint
) -> None:
    with pytest.raises(ZeroDivisionError), endpoint.drop():
        _ = 1 / 0
    with connected(environment) as one:
        ask(one, "after/10")
        assert answer(one) == 10


REFUSED: list[tuple[Callable[[Environment], object], str]] = [
    (lambda live: live["bare"].endpoint().drop(), "bare.http has no relay, so nothing can be done"),
    (lambda live: live["bare"].endpoint("nope").drop(), "bare has no port 'nope'"),
    (lambda live: live["web"].endpoint().latency("200"), "a duration needs a unit: 200s?"),
    (lambda live: live["web"].endpoint().latency(0.1, jitter=0.2), "its jitter no more than itself"),
    (lambda live: live["web"].endpoint().throttle(0), "lets some bytes a second pass"),
    (
        lambda live: live["web"].endpoint().reset(after_bytes=-1),
        "after_bytes= takes bytes, or a text such as '64KB', not -1",
    ),
]


def test_what_cannot_be_done_is_refused_and_not_told(live: Environment, session: Running) -> None:
    hints = []
    for order, sentence in REFUSED:
        with pytest.raises(UsageError, match=re.escape(sentence)) as caught:
            order(live)
        hints.append(caught.value.hint)
    assert hints[0] == "under services.bare.ports write http: {proxy: true}"
    assert not session.of(e.FaultOrdered)


def test_a_file_says_what_is_done_to_endpoints_and_for_how_long(bench: Bench) -> None:
    faults = "faults: [{after: healthy + 10ms, latency: web.http, by: 10m, for: 200ms}]"
    session = bench.session(f"{SERVICES}\n{faults}").up()
    told = session.wait_count(e.FaultOrdered, 2)
    assert [(event.action, event.endpoint, event.detail) for event in told] == [
        ("latency", "http", "10 min 0 s"),
        ("heal", "http", "latency"),
    ]
    assert all(":1" in event.position for event in told)
    with connected(Environment(session.background)) as one:
        ask(one, "after/10")
        assert answer(one) == 10


def test_a_file_heals_whatever_was_done(bench: Bench) -> None:
    faults = ["{after: healthy, drop: web.http}", "{after: healthy + 50ms, heal: web.http}"]
    session = bench.session(f"{SERVICES}\nfaults: [{', '.join(faults)}]").up()
    session.wait(e.FaultOrdered, action="heal")
    with connected(Environment(session.background)) as one:
        ask(one, "after/10")
        assert answer(one) == 10


def test_a_session_that_is_lent_again_is_healed_first(lent: Lent) -> None:
    request = lent.bench.request("services: {web: {use: http-server, ports: {http: {proxy: true}}}}")
    first = Environment(start_detached(request))
    first["web"].endpoint("http").reset()
    loan = lent.borrow(request)
    again = Environment(loan.control)
    assert again.id == first.id
    with connected(again) as one:
        ask(one, "")
        assert answer(one)
    loan.close()
