"""Validators become checks with places and seconds; conditions are filled in; the plan travels as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from envspec.health import build
from envspec.plan.codec import from_json, to_json
from envspec.plan.plan import Check, Plan

PlanText = Callable[..., Plan]
Refused = Callable[..., list[str]]


def checks(plan_text: PlanText, items: str, **files: str) -> tuple[Check, ...]:
    plan = plan_text(
        f"""
        vars: {{n: 2}}
        models: {{chat: {{synthetic: {{architecture: qwen3}}, name: acme/tiny}}}}
        services:
          far: {{attach: {{url: "https://far.test/v1"}}, ports: {{api: auto}}}}
          many: {{command: [many], ports: {{http: auto}}, replicas: 2}}
          s:
            command: [s]
            ports: {{http: 9000, kv: {{range: 9100, count: 2}}}}
            health: {items}
        """,
        files={name.replace("_py", ".py"): content for name, content in files.items()},
    )
    return plan.services[-1].replicas[0].health


def places(check: Check) -> list[str]:
    return [endpoint.url for endpoint in check.endpoints]


@pytest.mark.parametrize(
    ("item", "asked", "local"),
    [
        ("tcp: {port: http}", ["http://127.0.0.1:9000"], True),
        ("tcp: {port: kv}", ["tcp://127.0.0.1:9100", "tcp://127.0.0.1:9101"], True),
        ("http: {endpoint: many.http}", ["http://127.0.0.1:20000", "http://127.0.0.1:20001"], True),
        ("http: {endpoint: many.1.http}", ["http://127.0.0.1:20001"], True),
        ("http: {endpoint: far.api}", ["https://far.test:443/v1"], False),
        ("http: {url: 'http://x/'}", [], False),
        ("log: {match: up}", [], False),
    ],
)
def test_places_are_looked_up(plan_text: PlanText, item: str, asked: list[str], local: bool) -> None:  # noqa: FBT001
    (check,) = checks(plan_text, f"[{item}]")
    assert (places(check), check.local) == (asked, local)


def test_fields_are_the_validators_own_rendered_with_units_as_seconds(plan_text: PlanText) -> None:
    (check,) = checks(
        plan_text,
        """[http: {port: http, timeout: 500ms, path: "/{{ replica.name }}", headers: {X-N: 5},
            body: {n: "{{ vars.n }}"},
            status: [200, 204], json: {data: "{{ [{'endpoint': 'generate'}] * vars.n }}", none: null}}]""",
    )
    assert (check.kind, check.timeout, check.where) == ("http", 0.5, "services.s.health[0] (http)")
    assert check.fields["path"] == "/s"
    assert check.fields["headers"] == {"X-N": "5"}
    assert check.fields["body"] == {"n": 2}
    assert check.fields["json"] == {"data": [{"endpoint": "generate"}] * 2, "none": None}
    assert not {"timeout", "port", "endpoint"} & set(check.fields)
    assert build(check.kind, check.fields) == build("http", dict(check.fields))


def test_a_model_is_asked_for_by_the_name_that_it_is_served_under(plan_text: PlanText) -> None:
    named, other = checks(plan_text, "[openai: {port: http, model: chat}, openai: {port: http, name: x}]")
    assert (named.fields["name"], other.fields["name"]) == ("acme/tiny", "x")


def test_items_that_vanish_leave_the_others_in_place(plan_text: PlanText) -> None:
    found = checks(plan_text, "[\"{{ {'tcp': {'port': 'http'}} if vars.n > 5 }}\", {tcp: {port: kv}}]")
    assert [check.where for check in found] == ["services.s.health[0] (tcp)"]


def test_a_python_validator_gets_the_environment_as_templates_see_it(plan_text: PlanText, tmp_path: Path) -> None:
    (check,) = checks(plan_text, "[python: {call: 'mine:ok', args: {n: 1}}]", mine_py="def ok(ctx, n): pass\n")
    context = json.loads(json.dumps(to_json(check)))["context"]
    assert context["vars"] == {"n": 2}
    assert context["replica"]["ports"] == {"http": 9000, "kv": [9100, 9101]}
    assert context["services"]["many"]["replicas"][1]["endpoints"]["http"] == "http://127.0.0.1:20001"
    assert set(context) == {"services", "replica", "vars", "session"}
    assert check.folder == str(tmp_path)


@pytest.mark.parametrize(
    ("module", "call"),
    [
        ("async def ok(ctx): pass", "mine:ok"),
        ("from os.path import exists as ok", "mine:ok"),
        ("ok = lambda ctx: None", "mine:ok"),
        ("if True:\n    def ok(ctx): pass", "mine:ok"),
        ("", "json:dumps"),
    ],
)
def test_the_function_is_found_without_importing(plan_text: PlanText, module: str, call: str) -> None:
    text = f"raise SystemExit('imported')\n{module}\n"
    assert checks(plan_text, f"[python: {{call: '{call}'}}]", mine_py=text)


def test_a_python_file_that_does_not_parse_is_told(refused: Refused) -> None:
    text = "services: {s: {command: [s], health: [python: {call: 'mine:ok'}]}}\n"
    (finding,) = refused(text, files={"mine.py": "def ok(:\n"})
    assert "wrong-call" in finding
    assert "mine.py:1:" in finding


def test_conditions_default_by_what_the_other_is(plan_text: PlanText) -> None:
    plan = plan_text("""
        services:
          checked: {command: [a], ports: {x: auto}, health: [tcp: {port: x}]}
          plain: {command: [b]}
          job: {command: [c], kind: task}
          last: {command: [d], depends_on: [checked, plain, job]}
          other: {command: [e], depends_on: {checked: started, job: exited}}
    """)
    assert plan.services[3].depends_on == {"checked": "healthy", "plain": "started", "job": "succeeded"}
    assert plan.services[4].depends_on == {"checked": "started", "job": "exited"}


def test_what_a_service_says_of_its_life_is_in_the_plan(plan_text: PlanText) -> None:
    plan = plan_text("""
        start_timeout: 90s
        services:
          a:
            command: [a]
            ports: {x: auto}
            replicas: 2
            start: ordered
            stop: {signal: INT, timeout: 500ms}
            restart: {on: failure, max: 3}
            health: [tcp: {port: x}]
            liveness: {every: 2s, failures: 5}
            after_healthy: [exec: {command: [echo, 1]}]
            reset: [http: {port: x, method: POST}]
          b: {command: [b], start_timeout: 1m30s}
          job: {command: [c], kind: task}
    """)
    a, b, job = plan.services
    first = a.replicas[0]
    assert (a.start, a.restart.on, a.restart.max, job.kind) == ("ordered", "failure", 3, "task")
    assert (first.stop.signal, first.stop.timeout, first.start_timeout) == ("INT", 0.5, 90.0)
    assert (first.liveness and first.liveness.every, b.replicas[0].start_timeout) == (2.0, 90.0)
    assert [check.where for check in first.after_healthy] == ["services.a.after_healthy[0] (exec)"]
    assert first.after_healthy[0].fields["command"] == ["echo", "1"]
    assert first.reset[0].fields["method"] == "POST"
    assert plan.start_timeout == 90.0


def test_an_attached_service_is_validated_and_not_started(plan_text: PlanText) -> None:
    plan = plan_text("""
        services:
          s:
            command: [s, "{{ ports.other }}"]
            ports: {http: auto, other: auto}
            attach: {ports: {http: "box:8000"}}
            health: [http: {port: http}]
    """)
    (replica,) = plan.replicas
    assert (plan.services[0].attached, replica.attached, replica.argv) == (True, True, ())
    assert replica.health[0].endpoints[0].url == "http://box:8000"
    assert (replica.ports, replica.host) == ({"http": (8000,)}, "box")


def test_ready_asks_for_the_environment_as_a_whole(plan_text: PlanText) -> None:
    plan = plan_text("""
        services: {s: {command: [s], ports: {http: 9000}, replicas: 1}}
        ready: [http: {endpoint: s.http, path: /v1}, exec: {shell: "true"}]
    """)
    assert [check.where for check in plan.ready] == ["ready[0] (http)", "ready[1] (exec)"]
    assert places(plan.ready[0]) == ["http://127.0.0.1:9000"]


def test_a_plan_survives_its_journey_as_json(plan_text: PlanText) -> None:
    plan = plan_text("""
        models: {chat: {synthetic: {architecture: qwen3}}}
        services:
          s:
            command: [s, "{{ models.chat.path }}"]
            ports: {x: {count: 2}}
            health: [tcp: {port: x}, http: {url: "http://x", tls: {insecure: true}, json: {a: [1]}}]
    """)
    assert to_json(from_json(Plan, json.loads(json.dumps(to_json(plan))))) == to_json(plan)


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("{http: null}", "http is null, and must be a mapping of its fields"),
        ("{x-why: because}", "here is nothing"),
        ("null", "an item is a mapping with one key"),
        ("{log: {}}", "'log' needs the key 'match'"),
    ],
)
def test_an_item_that_is_no_validator_is_told(refused: Refused, item: str, message: str) -> None:
    (finding,) = refused(f"services: {{s: {{command: [s], health: [{item}]}}}}\n")
    assert message in finding


def test_an_item_may_carry_the_users_own_keys(plan_text: PlanText) -> None:
    (check,) = checks(plan_text, "[{tcp: {port: http}, x-why: because}]")
    assert check.kind == "tcp"


@pytest.mark.parametrize(
    ("computed", "conditions"),
    [
        ("['b'] if vars.yes else []", {"b": "succeeded"}),
        ("['b'] if not vars.yes else []", {}),
        ("['b'] if not vars.yes", {}),
        ("{'b': 'exited'}", {"b": "exited"}),
    ],
)
def test_dependencies_may_be_computed_as_a_whole(
    plan_text: PlanText, computed: str, conditions: dict[str, str]
) -> None:
    plan = plan_text(f"""
        vars: {{yes: true}}
        services:
          a: {{command: [a], depends_on: "{{{{ {computed} }}}}"}}
          b: {{command: [b], kind: task}}
        """)
    assert plan.services[0].depends_on == conditions
