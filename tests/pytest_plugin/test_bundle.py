"""`--env-report`: after a run that failed, what somebody else needs to understand it; after another one, nothing."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

WEB = """
version: 1
requires: {modules: [requests]}
services:
  web:
    shell: echo "speaks of hunter2hunter2"; exec sleep 1000
    env: {API_TOKEN: hunter2hunter2, SHORT_KEY: abc, PLAIN: seen}
    health: [{log: {match: speaks}}]
"""
BROKEN = """
version: 1
services:
  web: {shell: "echo gone; exit 3", health: [{log: {match: never}}]}
"""
FAILS = """
def test_x(environment):
    assert environment["web"].logs() == "hunter2hunter2"

def test_fine(environment):
    pass
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    environments = pytester.mkdir("environments")
    (environments / "web.yaml").write_text(WEB)
    (environments / "broken.yaml").write_text(BROKEN)
    pytester.makepyprojecttoml("[tool.pytest.ini_options]\naddopts = ['-p', 'no:cacheprovider']\n")
    pytester.makepyfile(FAILS)
    return pytester


def files(directory: Path) -> dict[str, str]:
    return {str(path.relative_to(directory)): path.read_text() for path in directory.rglob("*") if path.is_file()}


def check(found: dict[str, str]) -> None:
    """See that everything is there that a reader needs, and no secret."""
    session = next(name.partition("/")[0] for name in found if name.endswith("/plan.json"))
    assert session.startswith("web-")
    assert found[f"{session}/logs/web.log"] == "speaks of ***\n"
    events = [json.loads(line)["event"] for line in found[f"{session}/events.jsonl"].splitlines()]
    assert events[-1] == "session-stopped"
    assert "session-healthy" in events
    assert "critical path" in found[f"{session}/timeline.txt"]
    variables = json.loads(found[f"{session}/variables.json"])
    assert variables["all"]["API_TOKEN"] == variables["all"]["SHORT_KEY"] == "***"
    assert variables["all"]["PLAIN"] == "seen"
    assert json.loads(found[f"{session}/plan.json"])["services"][0]["name"] == "web"
    versions = json.loads(found["versions.json"])
    assert {"command", "envspec", "pytest", "python", "kernel", "requests"} <= versions.keys()
    [failed] = [text for name, text in found.items() if name.startswith("failed/")]
    assert "test_x" in failed
    assert "assert" in failed
    for name in found:
        assert name in ("README.txt", ".envspec-report") or name in found["README.txt"]
    assert not [name for name, text in found.items() if "hunter2hunter2" in text]


@pytest.mark.parametrize(
    "options", [(), ("-n2",), ("-n1", "--env-per-worker")], ids=["alone", "xdist", "each-worker-its-own"]
)
def test_a_failed_run_leaves_a_folder_that_tells_all(project: pytest.Pytester, options: tuple[str, ...]) -> None:
    result = project.runpytest_subprocess("--env=web", "--env-report=told", *options)

    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines([f"envspec: what is known of this run is in {project.path}/told"])
    check(files(project.path / "told"))


def test_a_zip_holds_the_same(project: pytest.Pytester) -> None:
    for _ in range(2):  # the second takes the place of the first
        project.runpytest_subprocess("--env=web", "--env-report=deep/told.zip").assert_outcomes(failed=1, passed=1)

    with zipfile.ZipFile(project.path / "deep" / "told.zip") as archive:
        check({name.removeprefix("told/"): archive.read(name).decode() for name in archive.namelist()})
    assert [path.name for path in (project.path / "deep").iterdir()] == ["told.zip"]


def test_a_run_that_passed_leaves_nothing(project: pytest.Pytester) -> None:
    project.runpytest_subprocess("--env=web", "--env-report=told", "-k", "fine").assert_outcomes(passed=1, deselected=1)

    assert not (project.path / "told").exists()


@pytest.mark.parametrize("options", [(), ("-n1",)], ids=["alone", "xdist"])
@pytest.mark.parametrize("place", ["told", "told.zip"])
def test_a_report_does_not_outlive_the_next_run(project: pytest.Pytester, place: str, options: tuple[str, ...]) -> None:
    project.makepyfile(test_free="def test_free(): pass")
    project.runpytest_subprocess("--env=web", f"--env-report={place}").assert_outcomes(failed=1, passed=2)
    project.runpytest_subprocess("--env=web", f"--env-report={place}", "--collect-only", *options)
    assert (project.path / place).exists()

    project.runpytest_subprocess(f"--env-report={place}", "test_free.py", *options).assert_outcomes(passed=1)

    assert not (project.path / place).exists()


def test_of_an_earlier_report_s_folder_what_is_somebody_else_s_outlives_the_next_run(project: pytest.Pytester) -> None:
    project.runpytest_subprocess("--env=web", "--env-report=told")
    (project.path / "told" / "mine").touch()

    project.runpytest_subprocess("--env=web", "--env-report=told", "-k", "fine").assert_outcomes(passed=1, deselected=1)

    assert [path.name for path in (project.path / "told").iterdir()] == ["mine"]


def test_the_place_is_told_without_a_way_back(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.mkdir("sub"))

    result = project.runpytest_subprocess("--env=web", "--env-report=../told", "..")

    result.stdout.fnmatch_lines([f"envspec: what is known of this run is in {project.path}/told"])


@pytest.mark.parametrize("options", [(), ("-n1",)], ids=["alone", "xdist"])
def test_a_start_that_failed_is_told_with_its_reason_and_its_logs(
    project: pytest.Pytester, options: tuple[str, ...]
) -> None:
    project.runpytest_subprocess("--env=broken", "--env-report=told", *options).assert_outcomes(errors=2)

    found = files(project.path / "told")
    [log] = [text for name, text in found.items() if name.endswith("logs/web.log")]
    assert log == "gone\n"
    assert "web exited with code 3" in found["environments.txt"]
    assert "environments.txt" in found["README.txt"]


def test_a_place_that_cannot_be_written_any_more_is_told_and_changes_nothing(project: pytest.Pytester) -> None:
    project.makepyfile(FAILS.replace("    pass", "    open('told', 'w').close()"))
    result = project.runpytest_subprocess("--env=web", "--env-report=told")

    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["envspec: the report could not be written to */told: *"])


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("", "it names no place: give a directory, or a file that ends in .zip"),
        ("file", "file cannot be written: */file is no directory"),
        ("file/deep/told.zip", "file/deep/told.zip cannot be written: */file is no directory"),
        ("environments", "environments is not empty, and no report of an earlier run: *"),
        ("a.zip", "a.zip is a directory, and no zip"),
    ],
)
def test_a_place_that_cannot_be_is_told_before_the_run(project: pytest.Pytester, place: str, said: str) -> None:
    (project.path / "file").touch()
    (project.path / "a.zip").mkdir()
    result = project.runpytest_subprocess("--env=web", f"--env-report={place}")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*error: argument --env-report: {said}"])


def test_what_an_earlier_report_left_goes_and_what_is_somebody_else_s_stays(project: pytest.Pytester) -> None:
    project.runpytest_subprocess("--env=web", "--env-report=told")
    first = set(files(project.path / "told"))
    (project.path / "told" / "failed" / "mine").touch()
    project.runpytest_subprocess("--env=broken", "--env-report=told")

    second = files(project.path / "told")
    assert "failed/mine" in second
    assert not [name for name in second if name.startswith("web-")]
    assert first - second.keys()


def test_what_a_test_is_called_and_the_command_show_no_secret(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OWN_TOKEN", "it's-own")
    project.makepyfile("""
        import pytest

        @pytest.mark.parametrize("token", ["hunter2hunter2", "it's-own"])
        def test_x(environment, token):
            assert not token
    """)
    project.runpytest_subprocess("--env=web", "--env-report=told", "-o", "junit_suite_name=it's-own")

    found = files(project.path / "told")
    assert "test_x[***]" in found["README.txt"]
    shown = [*found, *found.values()]
    assert not [text for text in shown for secret in ("hunter2", "s-own") if secret in text]


def test_a_zip_of_somebody_else_is_not_replaced(project: pytest.Pytester) -> None:
    theirs = project.path / "keep.zip"
    with zipfile.ZipFile(theirs, "w") as archive:
        archive.writestr("notes.txt", "mine")
    before = theirs.read_bytes()

    result = project.runpytest_subprocess("--env=web", "--env-report=keep.zip")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--env-report: keep.zip is no report of an earlier run: name another file, or rem*"])
    assert theirs.read_bytes() == before
