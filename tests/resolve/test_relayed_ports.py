"""Ports with `proxy: true`: a service listens on a number of its own, everybody else knows that of the relay."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from envspec.plan.plan import Plan, ReplicaPlan
from envspec.resolve import port_requests
from envspec.spec.load import load

PlanText = Callable[..., Plan]

STACK = """
    services:
      web:
        command: [web, "{{ ports.http }}", "{{ replica.endpoints.http }}", "{{ addresses.http }}"]
        env: {PUBLIC: "{{ service.endpoints.http }} {{ services.web.ports.http }}"}
        ports: {http: {range: 8000, proxy: true, hold: release}}
        health: [{http: {port: http}}, {http: {url: "{{ endpoints.http }}/up"}}]
      user:
        command: [user, "{{ services.web.endpoints.http }}"]
        health: [{http: {endpoint: web.http}}]
    ready: [{http: {endpoint: web.http}}]
"""


def replica(plan: Plan, name: str) -> ReplicaPlan:
    return next(found for found in plan.replicas if found.name == name)


def test_the_service_itself_gets_a_number_of_its_own(plan_text: PlanText) -> None:
    web = replica(plan_text(STACK), "web")
    assert web.argv == ("web", "20000", "http://127.0.0.1:20000", "127.0.0.1:20000")
    assert web.relayed["http"].url == "http://127.0.0.1:20000"
    assert web.release == (20000,)


def test_everybody_else_sees_the_number_of_the_relay(plan_text: PlanText) -> None:
    plan = plan_text(STACK)
    web = replica(plan, "web")
    assert (web.ports["http"], web.endpoints["http"][0].url) == ((8000,), "http://127.0.0.1:8000")
    assert web.env["PUBLIC"] == "http://127.0.0.1:8000 8000"
    assert replica(plan, "user").argv == ("user", "http://127.0.0.1:8000")


def test_health_asks_the_service_and_ready_asks_as_its_users_do(plan_text: PlanText) -> None:
    plan = plan_text(STACK)
    by_port, by_url = replica(plan, "web").health
    assert (by_port.endpoints[0].port, by_url.fields["url"]) == (20000, "http://127.0.0.1:20000/up")
    assert [end.port for end in replica(plan, "user").health[0].endpoints] == [20000]
    assert [end.port for check in plan.ready for end in check.endpoints] == [8000]


def test_two_numbers_are_leased_and_only_that_of_the_service_may_be_released(tmp_path: Path) -> None:
    file = tmp_path / "env.yaml"
    file.write_text(dedent(STACK), "utf-8")
    relays, own = port_requests(load(file, environ={}))
    assert (relays.port, relays.fixed, relays.hold) == ("http", 8000, "keep")
    assert (own.port, own.fixed, own.ranges, own.hold) == ("http.own", None, ((20000, 24999),), "release")


def test_a_range_needs_room_for_both_numbers(refused: Callable[..., list[str]]) -> None:
    [told] = refused("services: {one: {command: [one], ports: {http: {range: 20001-20001, proxy: true}}}}")
    assert "20001-20001 has 1 number, and 2 are needed by one.http" in told


@pytest.mark.parametrize(
    ("service", "told"),
    [
        (
            "{command: [one], ports: {http: {count: 2, proxy: true}}}",
            "1:66 wrong-proxy: a relay stands before one port, and 'count' makes several",
        ),
        (
            "{attach: {ports: {http: 80}}, ports: {http: {proxy: true}}}",
            "1:69 wrong-proxy: one is attached: no relay can be put before its port 'http'",
        ),
    ],
)
def test_what_cannot_have_a_relay_is_refused_where_it_is_asked_for(
    refused: Callable[..., list[str]], service: str, told: str
) -> None:
    assert refused(f"services: {{one: {service}}}") == [told]


def test_an_attached_service_may_take_the_relay_of_a_lower_layer_away(plan_text: PlanText) -> None:
    plan = plan_text("services: {one: {attach: {ports: {http: 80}}, ports: {http: {proxy: false}}}}")
    assert not replica(plan, "one").relayed
