"""The chains of services that waited for one that failed."""

from __future__ import annotations

from envspec.plan.plan import Condition, Plan, ServicePlan
from envspec.session.failure import held_up
from tests.session.running import Bench

CONDITION: Condition = "healthy"


def _plan(**depends_on: list[str]) -> Plan:
    services = tuple(
        ServicePlan(name, "service", (), dict.fromkeys(others, CONDITION)) for name, others in depends_on.items()
    )
    return Plan("env", "env.yaml", "/", "/", "", services)


def test_a_chain_goes_on_to_whom_nobody_waits_for() -> None:
    plan = _plan(store=[], worker=["store"], router=["worker"], front=["router"], other=[])
    assert held_up(plan, "store", {"worker", "router", "front", "other"}) == (("store", "worker", "router", "front"),)


def test_who_has_started_was_not_held_up() -> None:
    plan = _plan(store=[], worker=["store"], front=["worker"], side=["store"])
    assert held_up(plan, "store", {"front"}) == ()
    assert held_up(plan, "store", {"side"}) == (("store", "side"),)


def test_every_branch_is_a_chain() -> None:
    plan = _plan(store=[], left=["store"], right=["store"], front=["left", "right"])
    chains = held_up(plan, "store", {"left", "right", "front"})
    assert chains == (("store", "left", "front"), ("store", "right", "front"))


def test_replicas_that_start_one_after_the_other_stand_first() -> None:
    plan = _plan(store=[], worker=["store"])
    assert held_up(plan, "store", {"worker"}, ("store.1", "store.2")) == (("store.1", "store.2", "worker"),)
    assert held_up(plan, "store", set(), ("store.1", "store.2")) == (("store.1", "store.2"),)


def test_a_dense_graph_with_more_chains_than_anybody_can_read_is_cut_short() -> None:
    layers = [[f"s{layer}_{number}" for number in range(8)] for layer in range(24)]
    depends_on = {name: layers[i - 1] if i else ["root"] for i, layer in enumerate(layers) for name in layer}
    chains = held_up(_plan(root=[], **depends_on), "root", set(depends_on))
    assert len(chains) == 4
    assert all(len(chain) == 25 for chain in chains)


def test_a_command_that_does_not_exist_names_whom_it_held_up(bench: Bench) -> None:
    error = bench.session(
        """
        services:
          store: {command: [no-such-store], replicas: 2, start: ordered}
          worker: {command: [sleep, "100"], depends_on: [store]}
          front: {command: [sleep, "100"], depends_on: [worker]}
        """
    ).fails()
    assert "held up  store.0 ← store.1 ← worker ← front" in str(error)
    assert error.details["held_up"] == [["store.0", "store.1", "worker", "front"]]
