"""Models in plans: what templates see of them, and what services that use one have in their environment."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from envspec.plan.plan import Plan
from envspec.resolve import resolve, stand_in
from envspec.resolve.scope import world_of
from envspec.spec.load import load

PlanText = Callable[..., Plan]

HUB = "models: {chat: {repo: org/name, warm: page-cache}, tiny: {synthetic: {architecture: qwen3}}}\n"
CALLER = {"HOME": "/home/me", "HF_HUB_OFFLINE": "0", "HF_HOME": "relative/home"}


def hub_variables(plan: Plan, service: int = 0) -> dict[str, str]:
    variables = plan.services[service].replicas[0].env
    return {name: value for name, value in variables.items() if name.startswith(("HF_", "HUGGING"))}


def test_templates_see_a_models_repository_and_commit(tmp_path: Path) -> None:
    file = tmp_path / "env.yaml"
    both = (
        "{{ models.chat.repo }}@{{ models.chat.commit }} {{ models.tiny.repo is none and models.tiny.commit is none }}"
    )
    file.write_text(f"{HUB}services: {{s: {{command: ['{both}', '{{{{ models.chat.path }}}}']}}}}\n")
    loaded = load(file, environ={})
    bindings = replace(stand_in(loaded), models={"chat": "/hub/chat", "tiny": "/t"}, commits={"chat": "c0ffee"})
    plan = resolve(loaded, bindings, {})
    assert plan.replicas[0].argv == ("org/name@c0ffee true", "/hub/chat")
    assert [(model.commit, model.warm, model.path) for model in plan.models] == [
        ("c0ffee", "page-cache", "/hub/chat"),
        ("", "", "/t"),
    ]


def test_a_service_that_uses_a_repository_runs_offline_in_the_callers_cache(plan_text: PlanText) -> None:
    plan = plan_text(f"{HUB}services: {{s: {{command: [s], models: [chat]}}}}\n", environ={"HOME": "/home/me"})
    assert hub_variables(plan) == {"HF_HUB_OFFLINE": "1", "HF_HOME": "/home/me/.cache/huggingface"}


def test_what_is_merely_inherited_is_no_reason_to_go_online(plan_text: PlanText) -> None:
    plan = plan_text(f"{HUB}services: {{s: {{command: [s], models: [chat]}}}}\n", environ=CALLER)
    assert hub_variables(plan) == {"HF_HUB_OFFLINE": "1", "HF_HOME": str(Path("relative/home").absolute())}


@pytest.mark.parametrize("name", ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"])
def test_a_cache_of_the_callers_is_told_also_where_little_is_inherited(plan_text: PlanText, name: str) -> None:
    text = f"inherit_env: [PATH]\n{HUB}services: {{s: {{command: [s], models: [chat]}}}}\n"
    plan = plan_text(text, environ={"HF_HOME": "/hf", name: "/hub"})
    assert hub_variables(plan) == {"HF_HUB_OFFLINE": "1", "HF_HOME": "/hf", "HF_HUB_CACHE": "/hub"}


def test_a_model_that_is_no_repository_needs_no_cache_of_the_hub(plan_text: PlanText) -> None:
    plan = plan_text(f"{HUB}services: {{s: {{command: [s, '{{{{ models.tiny.path }}}}']}}}}\n")
    assert hub_variables(plan) == {"HF_HUB_OFFLINE": "1"}


def test_a_service_without_models_has_what_the_caller_has(plan_text: PlanText) -> None:
    plan = plan_text(f"{HUB}services: {{s: {{command: [s]}}}}\n", environ=CALLER)
    assert hub_variables(plan) == {"HF_HUB_OFFLINE": "0", "HF_HOME": "relative/home"}


@pytest.mark.parametrize(
    ("top", "own", "offline"),
    [
        ("{HF_HUB_OFFLINE: '0'}", "", "0"),
        ("{HF_HUB_OFFLINE: null}", "", None),
        ("{}", "env: {HF_HUB_OFFLINE: '0'}", "0"),
        ("{}", "env: {HF_HUB_OFFLINE: null}", None),
        ("{}", "unset_env: [HF_HUB_*]", None),
        ("{HF_HUB_OFFLINE: '0'}", "unset_env: [HF_HUB_*]", None),
        ("{}", "env_file: ./online", "0"),
        ("{}", "inherit_env: []", "1"),
    ],
)
def test_whatever_the_file_says_wins(plan_text: PlanText, top: str, own: str, offline: str | None) -> None:
    text = f"env: {top}\n{HUB}services: {{s: {{command: [s], models: [chat], {own}}}}}\n"
    plan = plan_text(text, environ=CALLER, files={"online": "HF_HUB_OFFLINE=0\n"})
    assert hub_variables(plan).get("HF_HUB_OFFLINE") == offline


def test_a_model_that_one_replica_names_is_every_replicas(plan_text: PlanText) -> None:
    text = (
        f"""{HUB}services: {{s: {{command: [s, "{{{{ models.chat.path if replica.index == 1 }}}}"], replicas: 2}}}}\n"""
    )
    (service,) = plan_text(text).services
    assert service.models == ("chat",)
    assert [replica.env["HF_HUB_OFFLINE"] for replica in service.replicas] == ["1", "1"]


@pytest.mark.parametrize("name", ["models.X", "session"])
def test_the_page_names_all_that_templates_see(tmp_path: Path, name: str) -> None:
    file = tmp_path / "env.yaml"
    file.write_text(HUB)
    environment = load(file, environ={})
    world = world_of(environment, stand_in(environment), {})
    seen = world.models["chat"] if name == "models.X" else world.session
    page = (Path(__file__).parents[2] / "docs" / "spec.md").read_text("utf-8")
    (names,) = re.findall(rf"^\| `{name}` \| `([\w ]+)`", page, re.MULTILINE)
    assert set(names.split()) == set(seen)
