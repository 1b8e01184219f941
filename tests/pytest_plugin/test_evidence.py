"""What the report of a failed test shows of its environment: what was written meanwhile, and nothing else."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

SPEAKER = """
version: 1
services:
  speaker:
    shell: |
      echo started
      tail -n +1 -F say 2>/dev/null
    cwd: "{project}"
    env: {{API_TOKEN: hunter2hunter2}}
  silent: {{command: [sleep, "1000"]}}
"""

HELP = """
import os, pathlib, time
import pytest

def say(environment, text):
    with open("say", "ab") as file:
        file.write(text.encode())
    deadline = time.monotonic() + 30
    while text.splitlines()[-1] not in environment["speaker"].logs():
        assert time.monotonic() < deadline, environment["speaker"].logs()
        time.sleep(0.01)
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    (pytester.mkdir("environments") / "talk.yaml").write_text(SPEAKER.format(project=pytester.path))
    (pytester.path / "say").touch()
    pytester.makepyprojecttoml("[tool.pytest.ini_options]\naddopts = ['-p', 'no:cacheprovider']\n")
    return pytester


def run(project: pytest.Pytester, tests: str, *options: str) -> str:
    project.makepyfile(HELP + tests)
    return project.runpytest_subprocess("--env=talk", *options).stdout.str()


THREE = """
def test_before(environment):
    say(environment, "before\\n")

def test_x(environment):
    say(environment, "meanwhile\\n")
    environment["silent"].kill()
    assert False

def test_after(environment):
    say(environment, "after\\n")
"""


@pytest.mark.parametrize("options", [(), ("-n1",)], ids=["alone", "xdist"])
def test_a_failed_test_shows_the_lines_of_its_own_time_and_what_happened(
    project: pytest.Pytester, options: tuple[str, ...]
) -> None:
    told = run(project, THREE, *options)

    assert "envspec: speaker wrote during the test" in told
    shown = told[told.index("envspec: talk during the test") :]
    assert "meanwhile" in shown
    assert "before" not in shown
    assert "started" not in shown
    assert "after\n" not in shown
    assert "silent        died of SIGKILL, as ordered" in shown
    assert "silent wrote" not in shown
    assert re.search(r"all logs: /\S+/sessions/talk-\w+/logs", shown)


def test_a_test_that_passes_shows_nothing(project: pytest.Pytester) -> None:
    told = run(project, "def test_x(environment): say(environment, 'meanwhile\\n')", "-rA")

    assert "wrote during the test" not in told


def test_secrets_and_what_a_terminal_obeys_are_not_shown(project: pytest.Pytester) -> None:
    told = run(
        project,
        """
def test_x(environment):
    say(environment, "the token is hunter2\\x1b[31mhunter2 and hunter2hunter2 \\x1b[2J\\x07\\nend\\n")
    assert False
""",
    )

    shown = told[told.index("envspec: speaker wrote during the test") :]
    assert "the token is *** and *** ^G" in shown
    assert "\x1b" not in shown


def test_a_flood_is_cut_to_its_end_and_says_so(project: pytest.Pytester) -> None:
    told = run(
        project,
        """
def test_x(environment):
    say(environment, "".join(f"line {number}\\n" for number in range(5000)))
    assert False
""",
    )

    shown = told[told.index("envspec: speaker wrote during the test") :]
    assert "… the last 100 lines of " in shown
    assert "line 4900\n" in shown
    assert "line 4899\n" not in shown


def test_a_failed_setup_shows_evidence_too(project: pytest.Pytester) -> None:
    told = run(
        project,
        """
@pytest.fixture
def wrong(environment):
    say(environment, "meanwhile\\n")
    raise ValueError

def test_x(wrong): pass
""",
    )

    assert "meanwhile" in told[told.index("envspec: speaker wrote during the test") :]


def test_a_test_that_never_ran_because_its_environment_was_broken_shows_no_evidence(project: pytest.Pytester) -> None:
    told = run(
        project,
        """
def test_x(environment):
    os.kill(environment["silent"].pid, 9)
    time.sleep(10)

def test_next(environment): pass
""",
    )

    assert told.count("envspec: talk during the test") == 1
    assert "environment talk is broken since" in told


def test_a_death_is_one_line(project: pytest.Pytester) -> None:
    told = run(
        project,
        """
def test_x(environment):
    os.kill(environment["silent"].pid, 9)
    while environment.state != "degraded":
        time.sleep(0.01)
    assert False
""",
    )

    shown = told[told.index("envspec: talk during the test") :].partition("session talk-")[0]
    assert shown.count("died of SIGKILL") == 1


@pytest.mark.parametrize("options", [(), ("-n1",)], ids=["alone", "xdist"])
def test_junit_knows_the_environment_of_each_test(project: pytest.Pytester, options: tuple[str, ...]) -> None:
    run(project, "def test_x(environment): pass\ndef test_without(): pass", "--junit-xml=junit.xml", *options)

    cases = {case.get("name"): case for case in ElementTree.parse(project.path / "junit.xml").iter("testcase")}
    found = {item.get("name"): item.get("value") or "" for item in cases["test_x"].iter("property")}
    assert found["envspec.environment"] == "talk"
    assert found["envspec.session"].startswith("talk-")
    assert 0 < float(found["envspec.start_seconds"]) < 60
    assert not list(cases["test_without"].iter("property"))


ITS_TEARDOWN_FAILS = """
@pytest.fixture
def used(environment):
    yield
    say(environment, "farewell\\n")
    raise ValueError

def test_x(environment, used):
    say(environment, "meanwhile\\n")
    assert {passes}

def test_next(environment): pass
"""


@pytest.mark.parametrize("options", [(), ("-k", "test_x"), ("-n1",)], ids=["held", "given-back", "xdist"])
def test_a_failed_teardown_shows_what_came_during_the_test(project: pytest.Pytester, options: tuple[str, ...]) -> None:
    told = run(project, ITS_TEARDOWN_FAILS.format(passes=True), *options)

    shown = told[told.index("ERROR at teardown of test_x") :]
    assert "meanwhile\nfarewell\n" in shown[shown.index("envspec: speaker wrote during the test") :]


def test_a_teardown_that_fails_after_its_test_shows_only_what_came_since(project: pytest.Pytester) -> None:
    told = run(project, ITS_TEARDOWN_FAILS.format(passes=False))

    teardown, _, call = told[told.index("ERROR at teardown of test_x") :].partition("FAILURES")
    assert re.search(r"envspec: speaker wrote during the test -+\nfarewell\n", teardown)
    assert re.search(r"envspec: speaker wrote during the test -+\nmeanwhile\n", call)
    assert told.count("envspec: talk during the test") == 1


def test_what_breaks_in_a_teardown_is_shown(project: pytest.Pytester) -> None:
    told = run(
        project,
        """
@pytest.fixture
def used(environment):
    yield
    os.kill(environment["silent"].pid, 9)

def test_x(environment, used): pass
""",
    )

    assert re.search(r"silent +died of SIGKILL", told[told.index("envspec: talk during the test") :])


LEFT = """
def test_orders(environment):
    environment["web"].endpoint("http").drop()
    environment["speaker"].pause()
    environment["silent"].stop()

def test_undoes_and_orders(environment):
    environment["speaker"].resume()
    environment["other"].kill()

def test_x(environment):
    assert False
"""
STOPPED = """
def test_orders(environment): environment["silent"].stop()
def test_x(environment): assert False
"""
WEB = """
  other: {command: [sleep, "1000"]}
  web: {use: http-server, ports: {http: {proxy: true}}}
"""


def test_a_fault_that_outlives_its_test_is_shown_with_where_it_began(project: pytest.Pytester) -> None:
    file = project.path / "environments" / "talk.yaml"
    file.write_text(file.read_text() + WEB)

    told = run(project, LEFT).splitlines()

    begin = next(number for number, line in enumerate(told) if "envspec: talk during the test" in line)
    assert told[begin + 1 : begin + 4] == [
        "since test_orders: drop on web.http",
        "since test_orders: silent was stopped on request and not started again",
        "since test_undoes_and_orders: other was killed on request and not started again",
    ]
    assert "session talk-" in told[begin + 4]


def test_of_a_shared_environment_it_is_shown_when_the_fault_began(project: pytest.Pytester) -> None:
    told = run(project, STOPPED, "-n1")

    assert re.search(r"^since [0-9.]+ m?s before the test: silent was stopped on request", told, re.MULTILINE)
