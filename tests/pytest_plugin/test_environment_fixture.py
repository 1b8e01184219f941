"""Tests that use an environment: where it comes from, what they get of it, and how often it starts."""

from __future__ import annotations

import pytest

WEB = """
version: 1
vars: {greeting: hello}
services:
  web:
    command: [python, -m, http.server, "{{ ports.http }}", --bind, "{{ replica.host }}"]
    files: {index.html: "{{ vars.greeting }}\\n"}
    ports: {http: auto}
    health: [{http: {port: http}}]
"""

FETCH = """
import urllib.request

def fetch(url):
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read().decode()
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    environments = pytester.mkdir("environments")
    (environments / "web.yaml").write_text(WEB)
    (environments / "other.yaml").write_text(WEB.replace("hello", "other"))
    pytester.makepyprojecttoml("[tool.pytest.ini_options]\n")
    return pytester


def test_a_test_talks_to_a_service_through_the_environment(project: pytest.Pytester) -> None:
    project.makepyfile(
        FETCH
        + """
def test_url(environment):
    web = environment["web"]
    assert fetch(web.url("http")) == "hello\\n"
    assert web.url("http") == f"http://{web.address('http')}"
    assert web.state == "healthy"
    assert environment.name == "web"
    assert environment.id.startswith("web-")
    assert (environment.dir / "events.jsonl").is_file()
    assert "GET /" in web.logs()
"""
    )

    result = project.runpytest_subprocess("--env=web")

    result.assert_outcomes(passed=1)


def test_service_ports_are_found_by_service_and_port(project: pytest.Pytester) -> None:
    project.makepyfile(
        FETCH
        + """
def test_port(service_ports):
    assert fetch(f"http://127.0.0.1:{service_ports['web_http']}") == "hello\\n"
"""
    )

    project.runpytest_subprocess("--env=web").assert_outcomes(passed=1)


def test_the_environment_starts_once_for_all_tests(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
seen = set()

def test_first(environment):
    seen.add((environment.id, environment["web"].pid))

def test_second(environment):
    seen.add((environment.id, environment["web"].pid))
    assert len(seen) == 1
"""
    )

    project.runpytest_subprocess("--env=web").assert_outcomes(passed=2)


def test_with_several_environments_a_test_runs_once_in_each(project: pytest.Pytester) -> None:
    project.makepyfile(
        FETCH
        + """
def test_greeting(environment):
    expected = {"web": "hello\\n", "other": "other\\n"}
    assert fetch(environment["web"].url()) == expected[environment.name]

def test_without_environment():
    pass
"""
    )

    result = project.runpytest_subprocess("--env=web", "--env=other", "-v")

    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines_random(["*test_greeting[[]web[]] PASSED*", "*test_greeting[[]other[]] PASSED*"])


def test_one_environment_leaves_the_names_of_tests_alone(project: pytest.Pytester) -> None:
    project.makepyfile("def test_it(environment): pass")

    result = project.runpytest_subprocess("--env=web", "-v")

    result.stdout.fnmatch_lines(["*::test_it PASSED*"])


def test_a_marked_test_runs_in_its_own_environment(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
import pytest

@pytest.mark.environment("other")
def test_marked(environment):
    assert environment.name == "other"

def test_unmarked(environment):
    assert environment.name == "web"
"""
    )

    project.runpytest_subprocess("--env=web").assert_outcomes(passed=2)


def test_an_environment_named_by_name_and_by_path_is_one(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
import pytest

seen = set()

@pytest.mark.environment("./environments/web.yaml")
def test_by_path(environment):
    seen.add(environment.id)

def test_by_name(environment):
    seen.add(environment.id)
    assert len(seen) == 1
"""
    )

    project.runpytest_subprocess("--env=web").assert_outcomes(passed=2)


def test_a_marked_test_without_the_fixture_finds_its_environment_up(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
import json, os, pathlib, pytest

@pytest.mark.environment("web")
def test_marked():
    sessions = pathlib.Path(os.environ["ENVSPEC_STATE_DIR"], "sessions").iterdir()
    events = [line for session in sessions for line in (session / "events.jsonl").read_text().splitlines()]
    assert "session-healthy" in [json.loads(line)["event"] for line in events]
"""
    )

    project.runpytest_subprocess().assert_outcomes(passed=1)


def test_env_set_overrides_a_variable(project: pytest.Pytester) -> None:
    project.makepyfile(
        FETCH
        + """
def test_greeting(environment):
    assert fetch(environment["web"].url()) == "bonjour\\n"
"""
    )

    project.runpytest_subprocess("--env=web", "--env-set", "greeting=bonjour").assert_outcomes(passed=1)


@pytest.mark.parametrize(("name", "passed", "errors"), [("greeting", 2, 0), ("greetnig", 0, 2)])
def test_env_set_is_for_those_that_have_the_variable_and_a_mistake_where_none_does(
    project: pytest.Pytester, name: str, passed: int, errors: int
) -> None:
    (project.path / "environments" / "bare.yaml").write_text("services: {web: {command: [sleep, '100']}}\n")
    project.makepyfile(
        """
import pytest

def test_that_of_the_option(environment):
    assert environment.name == "web"

@pytest.mark.environment("bare")
def test_that_of_a_marker(environment):
    assert environment.name == "bare"
"""
    )

    result = project.runpytest_subprocess("--env=web", "--env-set", f"{name}=bonjour")

    result.assert_outcomes(passed=passed, errors=errors)
    assert str(result.stdout).count(f"--env-set {name}: there is no var '{name}'") >= errors


def test_a_service_killed_by_the_test_says_so(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
def test_kill(environment):
    web = environment["web"]
    web.restart()
    assert web.state == "healthy"
    web.pause()
    web.resume()
    before = web.pid
    web.restart()
    assert web.pid != before
"""
    )

    project.runpytest_subprocess("--env=web").assert_outcomes(passed=1)


def test_an_unknown_service_is_named_with_those_that_exist(project: pytest.Pytester) -> None:
    project.makepyfile("def test_it(environment): environment['wbe']")

    result = project.runpytest_subprocess("--env=web")

    result.stdout.fnmatch_lines(["*the environment web has no service 'wbe'*"])


def test_find_free_port_gives_each_caller_another_port(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
import socket

def test_ports(find_free_port):
    ports = [find_free_port() for _ in range(50)]
    assert len(set(ports)) == 50
    server = socket.create_server(("127.0.0.1", ports[0]))
    server.close()
"""
    )

    project.runpytest_subprocess().assert_outcomes(passed=1)
