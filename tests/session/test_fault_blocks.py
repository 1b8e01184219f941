"""Faults that last for the body of a `with`, and are undone behind it."""

from __future__ import annotations

import pytest

from envspec.agent.identity import stat_fields
from envspec.session.live import Environment
from tests.session.faulty import SERVICES
from tests.session.running import Bench, Running, eventually


@pytest.fixture
def session(bench: Bench) -> Running:
    return bench.session(SERVICES).up()


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


def test_within_a_pause_another_one_ends_without_it(live: Environment) -> None:
    with live["store"].paused() as store:
        with live["store"].paused():
            pass
        (status,) = store._statuses()
        assert status.paused
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
    assert caught.value.__notes__[0].endswith(" is over")
