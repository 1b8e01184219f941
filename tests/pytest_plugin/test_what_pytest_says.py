"""What a person reads: header, ports, causes, and silence where nothing is used."""

from __future__ import annotations

import json
import subprocess
import sys
from xml.etree import ElementTree

import pytest

WEB = """
version: 1
services:
  web:
    command: [python, -m, http.server, "{{ ports.http }}", --bind, "{{ replica.host }}"]
    ports: {http: auto}
    health: [{http: {port: http}}]
"""

BROKEN = """
version: 1
services:
  broken:
    shell: echo attempt >> {project}/attempts; printf 'the disk is on %s' fire; exit 3
    health: [{{exec: {{shell: "false"}}}}]
"""

TWO_TESTS = """
def test_first(environment): pass
def test_second(environment): pass
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    environments = pytester.mkdir("environments")
    (environments / "web.yaml").write_text(WEB)
    (environments / "broken.yaml").write_text(BROKEN.format(project=pytester.path))
    (environments / "demanding.yaml").write_text(WEB + "requires: {commands: [no-such-command-anywhere]}\n")
    (environments / "demanding_more.yaml").write_text(
        WEB + "requires: {commands: [no-such-command-anywhere], env: [NO_SUCH_VARIABLE]}\n"
    )
    (environments / "typo.yaml").write_text(WEB.replace("health:", "heatlh:"))
    pytester.makepyprojecttoml("[tool.pytest.ini_options]\n")
    return pytester


def test_header_names_the_environment_and_its_ports_follow(project: pytest.Pytester) -> None:
    project.makepyfile("def test_it(environment): pass")

    result = project.runpytest_subprocess("--env=web")

    result.stdout.fnmatch_lines(
        ["envspec: web (environments/web.yaml)", "envspec: web is healthy in * (session web-*)", "  web  http 2????"]
    )


def test_quiet_runs_stay_quiet(project: pytest.Pytester) -> None:
    project.makepyfile("def test_it(environment): pass")

    result = project.runpytest_subprocess("--env=web", "-q")

    result.stdout.no_fnmatch_line("*is healthy*")


def test_a_failed_start_is_told_once_and_tried_once(project: pytest.Pytester) -> None:
    project.makepyfile(TWO_TESTS)

    result = project.runpytest_subprocess("--env=broken")

    result.assert_outcomes(errors=2)
    assert str(result.stdout).count("the disk is on fire") == 1
    assert (project.path / "attempts").read_text().splitlines() == ["attempt"]


def test_of_a_failed_start_each_thing_is_told_once(project: pytest.Pytester) -> None:
    tests = project.makepyfile(f"def test_free(): pass{TWO_TESTS}def test_third(environment): pass")

    result = project.runpytest_subprocess("--env=broken", "-rN")

    told = [line.partition("[100%]")[0].strip() for line in result.stdout.lines]
    told = [line for line in told if line and not line.startswith(("_", "=", "-", tests.name))]
    told = told[told.index("collected 4 items") + 1 :]
    assert told[:2] == ["envspec: starting broken …", "E"]
    assert told[2].startswith("environment broken did not start: broken exited with code 3 ")
    assert told[3:5] == [f"{told[2]}, as for {tests.name}::test_first"] * 2
    assert told[5] == told[2].partition("start: ")[2]
    assert told[6].startswith("where ")


def test_a_missing_requirement_skips_with_the_reason(project: pytest.Pytester) -> None:
    project.makepyfile(TWO_TESTS)

    result = project.runpytest_subprocess("--env=demanding", "-rs")

    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines(["*SKIPPED*no-such-command-anywhere*"])


def test_a_skip_names_everything_that_is_missing(project: pytest.Pytester) -> None:
    project.makepyfile("def test_it(environment): pass")

    result = project.runpytest_subprocess("--env=demanding_more", "-rs")

    result.stdout.fnmatch_lines(["*SKIPPED*no-such-command-anywhere*NO_SUCH_VARIABLE*"])


def test_under_xdist_the_ports_are_told_when_it_is_up(project: pytest.Pytester) -> None:
    project.makepyfile(TWO_TESTS)

    result = project.runpytest_subprocess("--env=web", "-n2")

    result.stdout.fnmatch_lines(["envspec: web is healthy in *", "  web  http 2????", "*2 passed*"])
    assert str(result.stdout).count("is healthy") == 1


def test_with_an_environment_per_worker_the_ports_of_each_are_told_at_the_end(project: pytest.Pytester) -> None:
    project.makepyfile(TWO_TESTS)

    result = project.runpytest_subprocess("--env=web", "-n1", "--env-per-worker")

    result.stdout.fnmatch_lines(["[[]gw0[]] envspec: web is healthy in *", "[[]gw0[]]   web  http 2????"])


def test_a_setting_without_a_value_is_a_usage_error(project: pytest.Pytester) -> None:
    project.makepyfile(TWO_TESTS)

    result = project.runpytest_subprocess("--env=web", "--env-set", "greeting")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--env-set greeting: a value is missing*", "*write it as --env-set greeting=VALUE*"])


def test_strict_runs_fail_where_a_requirement_is_missing(project: pytest.Pytester) -> None:
    project.makepyfile(TWO_TESTS)

    result = project.runpytest_subprocess("--env=demanding", "--env-strict")

    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["*no-such-command-anywhere*"])


def test_a_wrong_file_is_shown_with_line_column_and_hint(project: pytest.Pytester) -> None:
    project.makepyfile(TWO_TESTS)

    result = project.runpytest_subprocess("--env=typo")

    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["*typo.yaml:7:5: error*heatlh*", "*did you mean 'health'?*"])


def test_an_unknown_environment_is_a_usage_error(project: pytest.Pytester) -> None:
    project.makepyfile(TWO_TESTS)

    result = project.runpytest_subprocess("--env=webb")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*webb*"])


def test_a_test_without_any_environment_named_says_how_to_name_one(project: pytest.Pytester) -> None:
    project.makepyfile(TWO_TESTS)

    result = project.runpytest_subprocess()

    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["*hint: run pytest with --env=NAME*"])


def test_collecting_starts_nothing(project: pytest.Pytester) -> None:
    project.makepyfile(TWO_TESTS)

    result = project.runpytest_subprocess("--env=broken", "--collect-only")

    assert result.ret == pytest.ExitCode.OK
    assert not (project.path / "attempts").exists()


def test_env_keep_leaves_the_environment_up_and_says_how_to_end_it(project: pytest.Pytester) -> None:
    project.makepyfile("def test_it(environment): pass")

    result = project.runpytest_subprocess("--env=web", "--env-keep")
    try:
        listed = subprocess.run(
            [sys.executable, "-m", "envspec", "ps", "--format=json"], capture_output=True, check=True
        )
        sessions = json.loads(listed.stdout)
        assert [session["state"] for session in sessions] == ["healthy"]
        result.stdout.fnmatch_lines([f"*envspec down {sessions[0]['id']}*"])
    finally:
        subprocess.run([sys.executable, "-m", "envspec", "down", "--all"], check=True)


def test_a_run_that_uses_no_environment_imports_nothing_heavy(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
import sys

def test_modules():
    heavy = {"pydantic", "jinja2", "requests", "rich", "envspec.session", "envspec.spec", "envspec.errors"}
    assert not heavy & set(sys.modules)
"""
    )

    project.runpytest_subprocess("-p", "no:xdist", "-p", "no:timeout").assert_outcomes(passed=1)


ALONE_OR_NOT = pytest.mark.parametrize(
    "options", [(), ("-n1",), ("-n1", "--env-per-worker")], ids=["alone", "xdist", "each-worker-its-own"]
)


@ALONE_OR_NOT
def test_junit_tells_why_an_environment_did_not_start(project: pytest.Pytester, options: tuple[str, ...]) -> None:
    tests = project.makepyfile(TWO_TESTS)

    result = project.runpytest_subprocess("--env=broken", "--junit-xml=junit.xml", *options)

    cases = {case.get("name"): case for case in ElementTree.parse(project.path / "junit.xml").iter("testcase")}
    first, second = (next(cases[name].iter("error")) for name in ("test_first", "test_second"))
    assert "│ the disk is on fire" in (first.text or "")
    assert "environment broken did not start: broken exited with code 3" in (second.get("message") or "")
    assert f", as for {tests.name}::test_first" in (second.get("message") or "")
    assert "the disk is on fire" not in (second.text or "")
    for case in cases.values():
        found = {item.get("name"): item.get("value") or "" for item in case.iter("property")}
        assert found["envspec.environment"] == "broken"
        assert found["envspec.session"].startswith("broken-")
        assert 0 < float(found["envspec.start_seconds"]) < 60
    assert str(result.stdout).count("the disk is on fire") == 1


@ALONE_OR_NOT
def test_junit_tells_what_is_wrong_with_a_file(project: pytest.Pytester, options: tuple[str, ...]) -> None:
    project.makepyfile(TWO_TESTS)

    project.runpytest_subprocess("--env=typo", "--junit-xml=junit.xml", *options)

    first = next(ElementTree.parse(project.path / "junit.xml").iter("error"))
    assert "did you mean 'health'?" in (first.text or "")
