"""Stacks that are hard to say elsewhere, said here, and rendered as their programs want them."""

from __future__ import annotations

import json
from collections.abc import Callable

from envspec.plan.plan import Plan

PlanText = Callable[..., Plan]


def test_a_cluster_whose_members_name_one_another(plan_text: PlanText) -> None:
    plan = plan_text("services: {kv: {use: etcd, replicas: 3}, one: {use: etcd, attach: null}}\n")
    members = [replica.argv[replica.argv.index("--initial-cluster") + 1] for replica in plan.replicas]
    assert members[0] == members[1] == members[2]
    assert members[0].split(",") == [
        f"{replica.name}={replica.endpoints['peer'][0].url}" for replica in plan.replicas if replica.service == "kv"
    ]
    assert members[3].startswith("one=http://127.0.0.1:")


def test_certificates_from_a_task_whose_directory_all_know(plan_text: PlanText) -> None:
    plan = plan_text("""
        vars: {tls: true}
        services:
          certs:
            kind: task
            enabled: "{{ vars.tls }}"
            shell: "openssl req -x509 -keyout {{ 'my key.pem' | quote }} -out ca.pem"
          server:
            command: [server, "{{ ['--ca', services.certs.dir ~ '/ca.pem'] if services.certs.enabled }}"]
            ports: {https: auto}
            depends_on: [certs]
            health:
              - http:
                  port: https
                  tls: "{{ {'ca': services.certs.dir ~ '/ca.pem'} if services.certs.enabled }}"
    """)
    certs, server = plan.services
    assert certs.replicas[0].argv[-1].startswith("openssl req -x509 -keyout 'my key.pem'")
    assert server.replicas[0].argv == ("server", "--ca", f"{certs.replicas[0].dir}/ca.pem")
    tls = server.replicas[0].health[0].fields["tls"]
    assert isinstance(tls, dict)
    assert tls["ca"] == f"{certs.replicas[0].dir}/ca.pem"
    assert server.depends_on == {"certs": "succeeded"}


def test_the_same_stack_without_certificates(plan_text: PlanText) -> None:
    text = """
        vars: {tls: false}
        services:
          certs: {kind: task, enabled: "{{ vars.tls }}", command: [certs]}
          server:
            command: [server, "{{ ['--ca', services.certs.dir ~ '/ca.pem'] if services.certs.enabled }}"]
            ports: {https: auto}
            depends_on: [certs]
            health: [http: {port: https, tls: "{{ {'ca': services.certs.dir} if services.certs.enabled }}"}]
    """
    (server,) = plan_text(text).services
    assert server.replicas[0].argv == ("server",)
    assert server.replicas[0].health[0].fields["tls"] is None


def test_ranks_with_a_block_of_ports_and_a_flag_that_is_json(plan_text: PlanText) -> None:
    plan = plan_text("""
        vars: {ranks: 4}
        services:
          engine:
            command:
              - engine
              - --data-parallel-size
              - "{{ vars.ranks }}"
              - --kv-events-config
              - {publisher: zmq, endpoint: "tcp://*:{{ ports.kv[0] }}", ranks: "{{ ports.kv }}"}
            ports: {kv: {count: "{{ vars.ranks }}"}}
    """)
    (engine,) = plan.replicas
    config = json.loads(engine.argv[-1])
    assert config == {"publisher": "zmq", "endpoint": "tcp://*:20000", "ranks": [20000, 20001, 20002, 20003]}


def test_nodes_of_one_program_that_meet_at_the_first(plan_text: PlanText) -> None:
    plan = plan_text("""
        services:
          node:
            replicas: 2
            ports: {init: auto}
            command:
              - node
              - --rank
              - "{{ replica.index }}"
              - --nnodes
              - "{{ service.replicas | length }}"
              - --init
              - "{{ service.replicas[0].addresses.init }}"
    """)
    assert [replica.argv[2:] for replica in plan.replicas] == [
        ("0", "--nnodes", "2", "--init", "127.0.0.1:20000"),
        ("1", "--nnodes", "2", "--init", "127.0.0.1:20000"),
    ]


def test_services_that_refer_to_one_another_in_a_circle(plan_text: PlanText) -> None:
    plan = plan_text("""
        services:
          a: {command: [a, "{{ services.b.addresses.x }}"], ports: {x: auto}}
          b: {command: [b, "{{ services.a.addresses.x }}"], ports: {x: auto}, depends_on: [a]}
    """)
    assert [replica.argv[1] for replica in plan.replicas] == ["127.0.0.1:20001", "127.0.0.1:20000"]


def test_something_uploaded_once_the_service_is_healthy(plan_text: PlanText) -> None:
    plan = plan_text("""
        models: {lora: {synthetic: {architecture: llama}}}
        services:
          worker:
            command: [worker]
            ports: {system: auto}
            after_healthy:
              - http: {method: POST, port: system, path: /v1/loras, body: {path: "{{ models.lora.path }}"}}
    """)
    (worker,) = plan.services
    assert worker.replicas[0].after_healthy[0].fields["body"] == {"path": "/envspec/models/lora"}
    assert worker.models == ("lora",)


def test_two_services_that_differ_in_one_thing_share_the_rest(plan_text: PlanText) -> None:
    plan = plan_text("""
        services:
          prefill: &worker
            command: [worker, --mode, "{{ service.name }}"]
            ports: {http: auto}
          decode: {<<: *worker, args: [--more]}
    """)
    assert [replica.argv for replica in plan.replicas] == [
        ("worker", "--mode", "prefill"),
        ("worker", "--mode", "decode", "--more"),
    ]
