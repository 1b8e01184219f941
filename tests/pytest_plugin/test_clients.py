"""Clients that a test gets: bound to the endpoint that is meant, never for ever, never through a proxy."""

from __future__ import annotations

import pytest

SERVER = """
import json, os, socket, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hits = 0

    def do_GET(self):
        if self.path == "/hang":
            self.rfile.read()
        if self.path == "/v1/models":
            return self.say({"object": "list", "data": [{"id": "chat", "object": "model"}]})
        self.say({"path": self.path, "headers": dict(self.headers), "hits": Handler.hits})

    def do_POST(self):
        Handler.hits += 1
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if question["model"] != "chat":
            return self.say({"error": {"message": "come back later"}}, status=503)
        message = {"role": "assistant", "content": self.headers["Authorization"]}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        self.say({"id": "1", "object": "chat.completion", "created": 0, "model": "chat", "choices": [choice]})

    def say(self, answer, status=200):
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""

STACK = """
version: 1
services:
  frontend: &api
    command: [python, "{{ project }}/environments/server.py", "{{ ports.http }}"]
    ports: {http: auto}
    health: [{http: {port: http, path: /v1/models}}]
  admin: *api
  bus:
    command: [python, "{{ project }}/environments/server.py", "{{ ports.client }}"]
    ports: {client: {scheme: nats}}
  worker: {<<: *api, replicas: 2}
"""
READY = """
ready:
  - openai: {endpoint: frontend.http, name: chat}
"""
SERVER_ALONE = """
version: 1
services:
  frontend:
    command: [python, "{{ project }}/environments/server.py", "{{ ports.http }}"]
    ports: {http: auto}
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    environments = pytester.mkdir("environments")
    (environments / "server.py").write_text(SERVER)
    (environments / "ready.yaml").write_text(STACK + READY)
    (environments / "unready.yaml").write_text(STACK)
    (environments / "alone.yaml").write_text(SERVER_ALONE)
    pytester.makepyprojecttoml('[tool.pytest.ini_options]\nfilterwarnings = ["error"]\n')
    return pytester


def passes(project: pytest.Pytester, test: str, *options: str) -> None:
    project.makepyfile(test)
    project.runpytest_subprocess(*options).assert_outcomes(passed=1)


def test_the_client_of_openai_asks_the_endpoint_that_ready_asks(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-owner-of-the-shell")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    passes(
        project,
        """
def test_chat(environment):
    client = environment.openai()
    assert str(client.base_url) == environment["frontend"].url() + "/v1/"
    assert [model.id for model in client.models.list()] == ["chat"]
    answer = client.chat.completions.create(model="chat", messages=[{"role": "user", "content": "Hello"}])
    assert answer.choices[0].message.content == "Bearer envspec"
""",
        "--env=ready",
    )


def test_the_client_of_openai_tries_nothing_twice(project: pytest.Pytester) -> None:
    passes(
        project,
        """
import openai, pytest

def test_chat(environment):
    with pytest.raises(openai.InternalServerError, match="come back later"):
        environment.openai("worker.1.http").completions.create(model="other", prompt="Hello")
    assert environment["worker.1"].http().get("/").json()["hits"] == 1
    assert environment["worker.0"].http().get("/").json()["hits"] == 0
""",
        "--env=ready",
    )


def test_a_copy_of_the_client_outlives_it_and_its_connections_end_with_the_last(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
def test_it(environment):
    copy = environment.openai("frontend.http").with_options(timeout=30)
    assert [model.id for model in copy.models.list()] == ["chat"]
    assert copy.with_options(timeout=40).models.list().data
    assert environment.openai("frontend.http").models.list().data
"""
    )
    project.runpytest_subprocess("--env=unready", "-W", "error").assert_outcomes(passed=1)


def test_without_a_check_the_only_http_endpoint_is_meant(project: pytest.Pytester) -> None:
    passes(
        project,
        "def test_it(environment): assert [model.id for model in environment.openai().models.list()] == ['chat']",
        "--env=alone",
    )


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        pytest.param("openai()", "4 of the endpoints of unready may be for OpenAI's client", id="several"),
        pytest.param("openai('fronted.http')", "unready has no endpoint 'fronted.http' for HTTP", id="unknown"),
        pytest.param("openai('bus.client')", "unready has no endpoint 'bus.client' for HTTP", id="another-scheme"),
    ],
)
def test_what_cannot_be_told_is_said_with_the_choices(project: pytest.Pytester, call: str, sentence: str) -> None:
    project.makepyfile(f"def test_it(environment): environment.{call}")

    result = project.runpytest_subprocess("--env=unready")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [f"*{sentence}*", "*there are: frontend.http, admin.http, worker.0.http, worker.1.http*"]
    )
    assert "clients.py" not in result.stdout.str()


def test_a_missing_library_is_named_with_the_command_that_brings_it(project: pytest.Pytester) -> None:
    project.makepyfile("""
import sys

def test_it(environment, monkeypatch):
    monkeypatch.setitem(sys.modules, "openai", None)
    environment.openai()
""")

    result = project.runpytest_subprocess("--env=ready")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*environment.openai() needs the library openai*", "*pip install 'envspec[[]openai]'*"]
    )


def test_a_requests_session_knows_where_the_service_is(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    passes(
        project,
        """
def test_get(environment):
    web = environment["admin"].http()
    assert web.get("/a/b?c=1").json()["path"] == "/a/b?c=1"
    assert web.get("a", params={"c": 1}).json()["path"] == "/a?c=1"
    assert web.get("").json()["path"] == "/"
    other = environment["worker.0"].url()
    assert web.get(other + "/whole").json()["path"] == "/whole"
    assert web.get(other.replace("http:", "HTTP:") + "/capital").json()["path"] == "/capital"
""",
        "--env=ready",
    )


def test_a_service_that_hangs_ends_the_request_and_not_the_run(project: pytest.Pytester) -> None:
    passes(
        project,
        """
import pytest, requests
from envspec.session import clients

def test_hang(environment, monkeypatch):
    monkeypatch.setattr(clients, "SILENCE", 0.2)
    with pytest.raises(requests.ReadTimeout):
        environment["admin"].http().get("/hang")
    with pytest.raises(requests.ReadTimeout):
        environment["admin"].http().get("/hang", timeout=0.1)
    assert environment["admin"].http().get("/", timeout=None).ok
""",
        "--env=ready",
    )


def test_what_is_not_for_http_is_said(project: pytest.Pytester) -> None:
    project.makepyfile("def test_it(environment): environment['bus'].http('client')")

    result = project.runpytest_subprocess("--env=ready")

    result.stdout.fnmatch_lines(["*bus.client is nats://*, which is not for HTTP*"])


def test_urls_are_found_by_service_and_port(project: pytest.Pytester) -> None:
    passes(
        project,
        """
import pytest

def test_urls(environment, service_urls, service_ports):
    assert service_urls["frontend_http"] == environment["frontend"].url()
    assert service_urls["worker_1_http"] == f"http://127.0.0.1:{service_ports['worker_1_http']}"
    assert service_urls["bus_client"].startswith("nats://")
    assert sorted(service_urls) == sorted(service_ports)
    with pytest.raises(KeyError, match="no service has a port 'frontend_htpp'") as caught:
        service_urls["frontend_htpp"]
    assert "there are: frontend_http, admin_http" in caught.value.hint
""",
        "--env=ready",
    )
