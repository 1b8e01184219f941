"""What tests that use models have: each fetched once, before the first test, and only for tests that will run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.models.hub_models import write_model
from tests.models.hub_server import Hub, serving

WITH_MODEL = """
version: 1
models:
  chat: {{repo: {repo}}}
services:
  web:
    command: [python, -m, http.server, "{{{{ ports.http }}}}", --bind, "{{{{ replica.host }}}}"]
    ports: {{http: auto}}
    models: [chat]
    health: [{{http: {{port: http}}}}]
"""


@pytest.fixture
def hub(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    root = tmp_path_factory.mktemp("hub")
    for name in ("one", "two", "three"):
        write_model(root, f"org/{name}")
    hub = Hub(root)
    with serving(hub) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield hub


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("ENVSPEC_CACHE_DIR", str(pytester.path / "cache"))
    monkeypatch.setenv("HF_HOME", str(pytester.path / "hf"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    pytester.makepyprojecttoml("[tool.pytest.ini_options]\n")
    return pytester


def environment(project: pytest.Pytester, name: str, text: str) -> None:
    (project.path / "environments").mkdir(exist_ok=True)
    (project.path / "environments" / f"{name}.yaml").write_text(text)


def fetched(hub: Hub) -> set[str]:
    return {request.path.split("/resolve/")[0].strip("/") for request in hub.gets("model.safetensors")}


def test_marked_models_are_there_before_the_first_test(project: pytest.Pytester, hub: Hub) -> None:
    project.makepyfile(
        """
import pytest

def test_first(model_cache_dir):
    assert len(list(model_cache_dir.glob("models--org--*/snapshots/*/model.safetensors"))) == 2

@pytest.mark.model("org/one", "org/two")
def test_marked():
    pass
"""
    )

    result = project.runpytest_subprocess()

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["envspec: fetching org/one, org/two …", "envspec: 2 of 2 models are here, * after *"])
    assert fetched(hub) == {"org/one", "org/two"}


def test_a_preloaded_model_is_not_fetched_again(project: pytest.Pytester, hub: Hub) -> None:
    project.makepyfile(
        """
import pytest

@pytest.mark.model("org/one")
def test_path(model_loader, model_cache_dir):
    path = model_loader("org/one", preload_only=True)
    assert path.is_relative_to(model_cache_dir)
    assert (path / "model.safetensors").is_file()
    assert model_loader("org/one", "vllm", preload_only=True) == path
"""
    )

    project.runpytest_subprocess().assert_outcomes(passed=1)

    assert len(hub.gets("model.safetensors")) == 1


def test_a_revision_can_be_marked(project: pytest.Pytester, hub: Hub) -> None:
    commit = hub.commit("org/one")
    (hub.root / "org" / "one" / "config.json").write_text("{}")
    project.makepyfile(
        f"""
import pytest

@pytest.mark.model("org/one", revision="{commit}")
def test_path(model_loader):
    path = model_loader("org/one", preload_only=True, revision="{commit}")
    assert path.name == "{commit}"
    assert "architectures" in (path / "config.json").read_text()
"""
    )

    project.runpytest_subprocess().assert_outcomes(passed=1)


def test_models_of_tests_that_do_not_run_are_not_fetched(project: pytest.Pytester, hub: Hub) -> None:
    project.makepyfile(
        """
import pytest

@pytest.mark.model("org/one")
def test_selected(): pass

@pytest.mark.model("org/two")
def test_unwanted(): pass

@pytest.mark.skip(reason="not today")
@pytest.mark.model("org/three")
def test_skipped(): pass

@pytest.mark.skipif(True, reason="not here")
@pytest.mark.model("org/three")
def test_skipped_on_condition(): pass
"""
    )

    result = project.runpytest_subprocess("-k", "not unwanted")

    result.assert_outcomes(passed=1, skipped=2, deselected=1)
    assert fetched(hub) == {"org/one"}


def test_collecting_fetches_nothing(project: pytest.Pytester, hub: Hub) -> None:
    project.makepyfile("import pytest\n@pytest.mark.model('org/one')\ndef test_it(): pass")

    project.runpytest_subprocess("--collect-only")

    assert not hub.requests


def test_a_second_run_says_nothing_of_models_that_are_there(project: pytest.Pytester, hub: Hub) -> None:
    commit = hub.commit("org/one")
    project.makepyfile(f"import pytest\n@pytest.mark.model('org/one', revision='{commit}')\ndef test_it(): pass")
    project.runpytest_subprocess()
    hub.requests.clear()

    result = project.runpytest_subprocess()

    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*fetching*")
    assert not hub.requests


def test_a_model_that_cannot_be_had_errors_exactly_the_tests_that_need_it(project: pytest.Pytester, hub: Hub) -> None:
    hub.gated.add("org/two")
    project.makepyfile(
        """
import pytest

@pytest.mark.model("org/one")
def test_has_its_model(): pass

@pytest.mark.model("org/two")
class TestGated:
    def test_first(self): pass
    def test_second(self): pass

    @pytest.mark.skip(reason="not today")
    def test_skipped(self): pass
"""
    )

    result = project.runpytest_subprocess()

    result.assert_outcomes(passed=1, errors=2, skipped=1)
    result.stdout.fnmatch_lines(["*model org/two cannot be had: *", "*- model org/two cannot be had -*", "hint: *"])
    assert str(result.stdout).count("hint: ") == 1


def test_workers_of_xdist_make_one_download_and_tell_a_failure_once(project: pytest.Pytester, hub: Hub) -> None:
    project.makepyfile(
        """
import pytest

@pytest.mark.parametrize("number", range(4))
@pytest.mark.model("org/one")
def test_here(number): pass

@pytest.mark.parametrize("number", range(4))
@pytest.mark.model("org/none")
def test_nowhere(number): pass
"""
    )

    result = project.runpytest_subprocess("-n3")

    result.assert_outcomes(passed=4, errors=4)
    assert len(hub.gets("model.safetensors")) == 1
    assert str(result.stdout).count("- model org/none cannot be had -") == 1


def test_the_models_of_the_environment_are_fetched_and_known_by_name(project: pytest.Pytester, hub: Hub) -> None:
    environment(project, "web", WITH_MODEL.format(repo="org/one"))
    project.makepyfile(
        """
def test_name(environment, model_loader):
    assert (model_loader("chat", preload_only=True) / "model.safetensors").is_file()
"""
    )

    result = project.runpytest_subprocess("--env=web")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        ["envspec: fetching chat …", "envspec: 1 of 1 models are here*", "envspec: starting web*"]
    )
    assert len(hub.gets("model.safetensors")) == 1


def test_a_model_that_cannot_be_had_errors_the_tests_of_its_environment(project: pytest.Pytester, hub: Hub) -> None:
    environment(project, "web", WITH_MODEL.format(repo="org/none"))
    environment(project, "other", WITH_MODEL.format(repo="org/one"))
    project.makepyfile(
        """
import pytest

def test_web(service_ports): pass

@pytest.mark.environment("other")
def test_other(environment): pass

def test_none(): pass
"""
    )

    result = project.runpytest_subprocess("--env=web")

    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*environment web did not start*org/none*"])
    assert fetched(hub) == {"org/one"}


def test_models_of_an_environment_that_cannot_run_here_are_not_fetched(project: pytest.Pytester, hub: Hub) -> None:
    text = WITH_MODEL.format(repo="org/one") + "requires: {commands: [no-such-command-anywhere]}\n"
    environment(project, "gpu", text)
    project.makepyfile(
        """
import pytest

@pytest.mark.model("org/two")
def test_it(environment): pass
"""
    )

    project.runpytest_subprocess("--env=gpu").assert_outcomes(skipped=1)

    assert not hub.requests


def test_one_name_for_two_models_is_refused_where_it_matters(project: pytest.Pytester, hub: Hub) -> None:
    environment(project, "one", WITH_MODEL.format(repo="org/one"))
    environment(project, "two", WITH_MODEL.format(repo="org/two"))
    project.makepyfile("def test_it(model_loader): pass\ndef test_other(): pass")

    result = project.runpytest_subprocess("--env=one", "--env=two")

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*one, two declare different models by the name chat*"])
    assert not hub.requests


def test_a_test_that_a_mark_skips_does_not_start_its_environment(project: pytest.Pytester, hub: Hub) -> None:
    environment(project, "web", WITH_MODEL.format(repo="org/one"))
    project.makepyfile(
        """
import pytest

@pytest.mark.skip(reason="not today")
@pytest.mark.environment("web")
def test_it(): pass
"""
    )

    result = project.runpytest_subprocess()

    result.assert_outcomes(skipped=1)
    result.stdout.no_fnmatch_line("*starting*")
    assert not hub.requests


def test_offline_with_everything_there_makes_no_request(
    project: pytest.Pytester, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.makepyfile(
        """
import pytest

@pytest.mark.model("org/one")
def test_it(model_loader):
    assert model_loader("org/one", preload_only=True).is_dir()
"""
    )
    project.runpytest_subprocess().assert_outcomes(passed=1)
    hub.requests.clear()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    project.runpytest_subprocess().assert_outcomes(passed=1)

    assert not hub.requests


def test_the_process_of_the_tests_is_not_put_offline(project: pytest.Pytester, hub: Hub) -> None:
    project.makepyfile(
        """
import json, os, pathlib, pytest

@pytest.mark.model("org/one")
def test_variables(model_loader):
    model_loader("org/one", preload_only=True)
    pathlib.Path("seen.json").write_text(json.dumps(dict(os.environ)))
"""
    )

    project.runpytest_subprocess().assert_outcomes(passed=1)

    assert "HF_HUB_OFFLINE" not in json.loads(Path(project.path / "seen.json").read_text())
    assert fetched(hub) == {"org/one"}


@pytest.mark.parametrize(
    ("marker", "said"),
    [
        ('"org/one", revison="x"', "takes names and revision=, not revison="),
        ("", "names no model"),
        ("5", "takes texts, not 5"),
    ],
)
def test_a_marker_that_is_written_wrong_stops_the_run(
    project: pytest.Pytester, hub: Hub, marker: str, said: str
) -> None:
    project.makepyfile(f"import pytest\n@pytest.mark.model({marker})\ndef test_it(): pass\n")
    result = project.runpytest_subprocess()

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*test_it: the marker model {said}*"])
    assert hub.requests == []


@pytest.mark.parametrize(
    ("marker", "said"),
    [
        ('"org/one", revisions="x"', "takes names and revision=, not revisions="),
        ("", "names no model"),
        ("1", "takes texts, not 1"),
    ],
)
def test_a_marker_that_is_written_wrong_ends_no_worker(
    project: pytest.Pytester, hub: Hub, marker: str, said: str
) -> None:
    project.makepyfile(f"import pytest\n@pytest.mark.model({marker})\ndef test_it(): pass\ndef test_other(): pass\n")

    result = project.runpytest_subprocess("-n2")

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.no_fnmatch_line("*INTERNALERROR*")
    result.stdout.fnmatch_lines(["*- a marker is written wrong -*", f"*::test_it: the marker model {said}*"])
    assert (
        sum(said in line and line.startswith("test_") for line in result.outlines) == 2
    )  # of the test, and at the end
    assert hub.requests == []


def test_all_processes_of_a_run_have_the_same_commit_of_a_branch_that_moves(project: pytest.Pytester, hub: Hub) -> None:
    environment(project, "chat", WITH_MODEL.format(repo="org/one"))

    def move(path: str) -> None:
        if "/revision/main" in path:
            (hub.root / "org/one/README.md").write_text(str(len(hub.requests)))

    hub.before = move
    project.makepyfile(
        """
import pytest

@pytest.mark.parametrize("number", range(4))
def test_path(environment, model_loader, number):
    (environment.dir.parent / f"{environment.id}.{number}").write_text(str(model_loader("chat", preload_only=True)))
    plan = (environment.dir / "plan.json").read_text()
    assert str(model_loader("chat", preload_only=True)) in plan
"""
    )
    project.runpytest_subprocess("--env=chat", "-n", "2").assert_outcomes(passed=4)
    assert sum("/revision/main" in request.path for request in hub.requests) == 1


def test_workers_do_not_try_in_turn_what_no_hub_answers(project: pytest.Pytester, hub: Hub) -> None:
    hub.fail(503, times=99, on="/revision/", headers={"Retry-After": "0"})
    project.makepyfile(
        """
import pytest

@pytest.mark.parametrize("number", range(4))
@pytest.mark.model("org/one")
def test_it(number): pass
"""
    )

    project.runpytest_subprocess("-n2").assert_outcomes(errors=4)

    assert sum("/revision/main" in request.path for request in hub.requests) == 7  # of one worker: attempts.TRIES


@pytest.mark.usefixtures("hub")
def test_a_model_that_a_test_cannot_have_is_a_sentence_not_a_clients_source(project: pytest.Pytester) -> None:
    project.makepyfile("def test_it(model_loader): model_loader('org/typo', preload_only=True)\n")
    result = project.runpytest_subprocess()

    result.stdout.fnmatch_lines(["E *has no model org/typo*"])
    result.stdout.no_fnmatch_line("*huggingface_hub*")
    assert sum("check the name" in line for line in result.outlines) == 1
