"""Mistakes in tests that use an environment: one error each, which says what there is instead."""

from __future__ import annotations

import pytest

WEB = """
version: 1
services:
  web:
    command: [python, -m, http.server, "{{ ports.http }}", --bind, "{{ replica.host }}"]
    ports: {http: auto, admin: auto}
    health: [{tcp: {port: http}}]
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    (pytester.mkdir("environments") / "web.yaml").write_text(WEB)
    pytester.makepyprojecttoml("[tool.pytest.ini_options]\n")
    return pytester


@pytest.mark.parametrize(
    ("asked", "sentence", "hint"),
    [
        ('environment["nope"]', "the environment web has no service 'nope'", "it has: web"),
        ('environment["web"].url("grpc")', "web has no port 'grpc'", "its ports: http, admin"),
        ('environment["web"].address("grpc")', "web has no port 'grpc'", "its ports: http, admin"),
        ('environment["web"].port("grpc")', "web has no port 'grpc'", "its ports: http, admin"),
        ('service_ports["nope"]', "no service has a port 'nope'", "there are: web_http, web_admin"),
    ],
)
def test_a_name_that_is_not_there(project: pytest.Pytester, asked: str, sentence: str, hint: str) -> None:
    project.makepyfile(f"def test_it(environment, service_ports):\n    {asked}\n")

    result = project.runpytest_subprocess("--env=web")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"E * {sentence}", f"E * hint: {hint}"])
    result.stdout.no_fnmatch_line("*session/live.py*")
    assert "raise " not in str(result.stdout)


def test_service_ports_are_a_mapping_like_others(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
import json, pytest

def test_it(service_ports):
    assert set(service_ports) == {"web_http", "web_admin"} == set(json.loads(json.dumps(service_ports)))
    assert "nope" not in service_ports
    assert service_ports.get("nope") is None
    with pytest.raises(KeyError, match="no service has a port"):
        service_ports["nope"]
"""
    )

    project.runpytest_subprocess("--env=web").assert_outcomes(passed=1)


def test_a_marker_of_an_unknown_environment_is_one_error(project: pytest.Pytester) -> None:
    project.makepyfile("import pytest\n@pytest.mark.environment('nosuch')\ndef test_it(environment): pass\n")

    result = project.runpytest_subprocess()

    result.assert_outcomes(errors=1)
    assert str(result.stdout).count("hint:") == 1
    result.stdout.no_fnmatch_line("*During handling*")


@pytest.mark.parametrize("parameter", ["", "environment"], ids=["without", "fixture"])
@pytest.mark.parametrize(
    ("marker", "wrong"),
    [
        ("environment()", "the marker environment names no environment"),
        ("environment('')", "the marker environment names an environment ''"),
        ("environment('web')\n@pytest.mark.environment('other')", "there are two markers environment at one place, *"),
        ("environment('web', nope=1)", "the marker environment takes names, scope= and faults=, not nope="),
    ],
)
def test_a_marker_that_says_nothing_or_too_much(
    project: pytest.Pytester, marker: str, wrong: str, parameter: str
) -> None:
    project.makepyfile(f"import pytest\n@pytest.mark.{marker}\ndef test_it({parameter}): pass\n")

    result = project.runpytest_subprocess()

    assert result.ret != pytest.ExitCode.OK
    result.stdout.fnmatch_lines([f"*test_it: {wrong}", "hint: *"])


@pytest.mark.parametrize("workers", ["-n0", "-n1"])
def test_settings_of_no_environment_are_said_to_have_had_no_effect(project: pytest.Pytester, workers: str) -> None:
    project.makepyfile("def test_it(): pass")
    words = "envspec: --env-set had nothing to set: no test asked for an environment"

    project.runpytest_subprocess("--env-set", "n=1", workers).stdout.fnmatch_lines([words])
    project.runpytest_subprocess(workers).stdout.no_fnmatch_line("envspec:*")


def test_settings_of_a_marked_environment_have_their_effect(project: pytest.Pytester) -> None:
    (project.path / "environments" / "web.yaml").write_text(WEB + "vars: {n: 0}\n")
    project.makepyfile("import pytest\n@pytest.mark.environment('web')\ndef test_it(environment): pass\n")

    result = project.runpytest_subprocess("--env-set", "n=1")

    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*nothing to set*")


@pytest.mark.parametrize("workers", ["-n0", "-n1"])
@pytest.mark.parametrize("names", [["--env=nosuch"], ["--env=web", "--env=nosuch"]], ids=["one", "one of two"])
@pytest.mark.parametrize("loudness", ["-q", "-v"])
def test_an_option_that_names_no_environment_is_refused_once_before_any_test(
    project: pytest.Pytester, names: list[str], loudness: str, workers: str
) -> None:
    project.makepyfile("def test_it(): open('ran', 'w')\ndef test_other(environment): pass\n")

    result = project.runpytest_subprocess(*names, loudness, workers)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert not (project.path / "ran").exists()
    result.stderr.fnmatch_lines(["ERROR: there is no environment 'nosuch'*", "hint: *web*"])
    assert f"{result.stdout}{result.stderr}".count("'nosuch'") == 1


def test_an_empty_name_is_refused(project: pytest.Pytester) -> None:
    project.makepyfile("def test_it(environment): pass\n")

    result = project.runpytest_subprocess("--env=")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--env: it names no environment: write --env=NAME, or leave it out"])


@pytest.mark.parametrize("workers", ["-n0", "-n1"])
def test_a_path_is_from_where_pytest_is_called(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, workers: str
) -> None:
    folder = project.mkdir("sub")
    (folder / "test_it.py").write_text("def test_it(environment): assert environment.name == 'web'\n")
    monkeypatch.chdir(folder)

    project.runpytest_subprocess("--env=../environments/web.yaml", workers).assert_outcomes(passed=1)
    project.runpytest_subprocess("--env=environments/web.yaml", workers).assert_outcomes(passed=1)
    nowhere = project.runpytest_subprocess("--env=../nowhere.yaml", workers)
    assert nowhere.ret == pytest.ExitCode.USAGE_ERROR
    assert "hint: \n" not in f"{nowhere.stdout}{nowhere.stderr}"


@pytest.mark.parametrize("workers", ["-n0", "-n1"])
def test_a_name_is_looked_up_from_where_pytest_is_called_then_from_the_root(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, workers: str
) -> None:
    folder = project.mkdir("sub")
    (folder / "environments").mkdir()
    (folder / "environments" / "near.yaml").write_text(WEB)
    (folder / "test_it.py").write_text("def test_it(environment): print('in', environment.name)\n")
    monkeypatch.chdir(folder)

    result = project.runpytest_subprocess("--env=near", "--env=web", "-rP", workers)

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines_random(["in near", "in web"])


def test_a_name_and_a_path_of_one_environment_are_one(project: pytest.Pytester) -> None:
    project.makepyfile("def test_it(environment): pass\n")

    result = project.runpytest_subprocess("--env=web", "--env=environments/web.yaml", "-v")

    result.assert_outcomes(passed=1)
    assert str(result.stdout).count("envspec: web (environments") == 1


def test_a_marker_nearer_to_the_test_overrides_that_of_its_class(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
import pytest

@pytest.mark.environment("nope")
class TestOf:
    @pytest.mark.environment("web")
    def test_it(self, environment):
        assert environment.name == "web"
"""
    )

    project.runpytest_subprocess().assert_outcomes(passed=1)


def test_of_an_unknown_var_the_option_is_said_that_was_given(project: pytest.Pytester) -> None:
    project.makepyfile("def test_it(environment): pass\n")

    result = project.runpytest_subprocess("--env=web", "--env-set", "foo=1")

    result.stdout.fnmatch_lines(["*--env-set foo: there is no var 'foo'*"])
    result.stdout.no_fnmatch_line("* --set foo*")


@pytest.mark.parametrize("marker", ["environment('production')", "environment(region='eu')"])
def test_a_marker_of_a_project_without_environments_is_somebody_else_s(pytester: pytest.Pytester, marker: str) -> None:
    pytester.makepyfile(f"import pytest\n@pytest.mark.{marker}\ndef test_it(): pass\n")

    pytester.runpytest_subprocess().assert_outcomes(passed=1)
