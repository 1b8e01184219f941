"""What this host lacks is said at once, in full, before anything is started."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from envspec.errors import RequirementError
from envspec.plan import events as e
from envspec.plan.outline import Outline, Requirements
from envspec.session.requirements import check_requirements
from tests.session.running import Bench


def test_everything_that_is_missing_is_named_at_once(bench: Bench) -> None:
    session = bench.session(
        """
        requires:
          commands: [sh, no-such-command]
          modules: [json, no_such_module, json.no_such_submodule]
          env: [BENCH, NO_SUCH_VARIABLE]
          memory: 900TiB
          disk: 900TiB
          os: [macos]
        services: {web: {command: [sleep, "100"]}}
        """
    )
    error = session.fails()
    assert isinstance(error, RequirementError)
    assert len(error.missing) == 7
    for name in ("no-such-command", "no_such_module", "json.no_such_submodule", "NO_SUCH_VARIABLE", "macos"):
        assert name in str(error)
    assert str(error).count("921600.0 GiB") == 2
    assert [type(event) for event in session.events] == [e.SessionFailed]
    assert not bench.state.exists()


def test_what_is_here_is_enough(bench: Bench) -> None:
    session = bench.session(
        """
        requires: {commands: [sh], modules: [json, xml.dom], env: [BENCH], memory: 1MiB, disk: 1MiB, os: [linux]}
        services: {web: {command: [sleep, "100"]}}
        """
    ).up()
    assert session.background.status().state == "healthy"


def test_a_command_beside_the_interpreter_is_found_without_an_activated_environment(bench: Bench) -> None:
    session = bench.session(
        """
        requires: {commands: [ruff]}
        services: {web: {command: [sleep, "100"]}}
        """,
        environ={"PATH": "/usr/bin:/bin"},
    ).up()
    assert session.background.status().state == "healthy"


@pytest.mark.parametrize("shape", ["enabled: false", "replicas: 0"])
def test_an_entry_names_the_extra_that_provides_it_unless_the_service_is_off(bench: Bench, shape: str) -> None:
    entry = bench.path / "entry.yaml"
    entry.write_text("version: 1\nrequires: {commands: [no-such-command]}\nservice: {command: [sleep, '100']}\n")
    error = bench.session("services: {thing: {use: ./entry.yaml}}").fails()
    assert isinstance(error, RequirementError)
    assert "no-such-command is not on PATH (for thing)" in str(error)
    bench.session(f"services: {{thing: {{use: ./entry.yaml, {shape}}}, web: {{command: [sleep, '1000']}}}}").up()


def test_the_pip_command_names_every_extra_that_would_help_once() -> None:
    requires = Requirements(
        commands=("no-such-etcd", "no-such-nats", "no-such-tool"),
        modules=("no_such_dynamo",),
        extras={"no-such-etcd": "local", "no-such-nats": "local", "no_such_dynamo": "dynamo"},
        needed_by={"no-such-etcd": ("etcd",), "no_such_dynamo": ("frontend", "worker")},
    )
    with pytest.raises(RequirementError) as caught:
        check_requirements(Outline("stack", "/stack.yaml", "/", requires, (), ()), {"PATH": "/usr/bin"})
    assert caught.value.hint == "pip install 'envspec[local,dynamo]'"
    assert re.search(r"^PATH searched: /\S+:/usr/bin$", str(caught.value), re.MULTILINE)
    assert caught.value.missing == (
        "the command no-such-etcd is not on PATH (for etcd)",
        "the command no-such-nats is not on PATH",
        "the command no-such-tool is not on PATH",
        "the Python module no_such_dynamo is not installed (for frontend, worker)",
    )


def test_the_path_that_was_searched_has_no_directory_of_ours_twice() -> None:
    path = f"/usr/bin:{Path(sys.executable).parent}"
    requires = Requirements(commands=("no-such-tool",))
    with pytest.raises(RequirementError) as caught:
        check_requirements(Outline("stack", "/stack.yaml", "/", requires, (), ()), {"PATH": path})
    assert str(caught.value).endswith(f"PATH searched: {path}")


@pytest.mark.parametrize("again", [False, True], ids=["read", "recalled"])
def test_what_services_lack_beside_the_requirements_is_named_with_them(bench: Bench, *, again: bool) -> None:
    entry = bench.path / "entry.yaml"
    entry.write_text(
        "version: 1\nrequires: {commands: [tool], env: [NEEDED]}\nservice: {command: [tool, '100'], ports: {p: auto}}\n"
    )
    (bench.path / "tool").symlink_to("/bin/sleep")
    (bench.path / "engine").symlink_to("/bin/sleep")
    text = f"""
        services:
          thing: {{use: ./entry.yaml}}
          web: {{command: [engine, "100"], ports: {{p: auto}}}}
          etc: {{command: [{bench.path}/etc, "100"]}}
        """
    environ = {"PATH": f"{bench.path}:/usr/bin:/bin", "NEEDED": "1"}
    (bench.path / "etc").symlink_to("/bin/sleep")
    if again:
        bench.session(text, environ=environ).up().stop()  # now its plan is kept
    (bench.path / "tool").unlink()
    (bench.path / "engine").unlink()
    (bench.path / "etc").unlink()
    (bench.path / "etc").mkdir()
    error = bench.session(text, environ=environ).fails()

    assert isinstance(error, RequirementError)
    assert [sentence.partition(" (")[0].removesuffix(", on PATH") for sentence in error.missing] == [
        "the command tool is not on PATH",
        "web: command not found: engine",
        f"etc: the command is a directory: {bench.path}/etc",
    ]


def test_secrets_are_masked_in_what_services_lack(bench: Bench) -> None:
    error = bench.session(
        """
        requires: {modules: [no_such_module]}
        services: {web: {command: ["/no/{{ env.API_KEY }}"]}}
        """,
        environ={"API_KEY": "key-of-the-caller"},
    ).fails()

    assert "key-of-the-caller" not in str(error)
    assert "web: command not found: " in str(error)
