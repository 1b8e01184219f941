"""What the states of replicas are while a session stops, and after it."""

from __future__ import annotations

import threading

from envspec.plan import events as e
from envspec.session.status import replica_to_json
from tests.session.running import Bench


def test_the_service_that_failed_stays_failed_when_all_is_stopped_for_it(bench: Bench) -> None:
    session = bench.session(
        """
        services:
          cache: {command: [sleep, "100"]}
          db:
            command: [sleep, "100"]
            depends_on: [cache]
            start_timeout: 200ms
            health: [{exec: {command: ["false"]}}]
          web: {command: [sleep, "100"], depends_on: [db]}
        """
    )
    session.fails()

    states = {name: replica.state for name, replica in session.background.status().services.items()}
    assert states == {"cache": "stopped", "db": "failed", "web": "stopped"}
    assert session["db"].message.startswith("db did not become healthy within its start_timeout")
    assert session["db"].pid is None
    assert session["web"].waits_for == ()


def test_a_replica_that_is_on_its_way_down_says_so(bench: Bench) -> None:
    session = bench.session(
        """
        services:
          mule:
            command: [sh, -c, "trap '' TERM; echo up; while :; do sleep 0.02; done"]
            health: [{log: {match: up}}]
            stop: {timeout: 60s}
        """
    ).up()
    before = session["mule"]
    stop = threading.Thread(target=session.background.stop)
    stop.start()
    session.wait(e.ReplicaStopping)
    meanwhile = session["mule"]
    session.background.stop("now", force=True)
    stop.join()

    assert [before.stopping, meanwhile.stopping, session["mule"].stopping] == [False, True, False]
    assert replica_to_json(meanwhile)["stopping"]
    assert meanwhile.stop_timeout == 60.0
