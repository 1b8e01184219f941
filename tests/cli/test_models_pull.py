"""`envspec models pull`: an environment's models or a repository, side by side; what fails does not stop the others."""

from __future__ import annotations

import re
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import PATIENCE, eventually
from tests.models.hub_models import digest_of, write_model
from tests.models.hub_server import Hub

INTERRUPTED = "interrupted; nothing was kept of what was under way, and what came before is complete"
TWO = "models: {chat: {repo: org/chat}, tiny: {synthetic: {architecture: qwen3}}}\n"


def test_an_environments_models_come_and_the_second_time_nothing_does(envspec: Any, hub: Hub) -> None:
    source = write_model(hub.root, "org/chat", 0.3)
    envspec.write(TWO)
    first = envspec("models", "pull")
    assert first.returncode == 0
    (line,) = re.findall(r"^chat  [\d.]+ KB in .+ \([\d.]+ .?B/s\)  (/.+)$", first.stdout, re.MULTILINE)
    assert digest_of(Path(line)) == digest_of(source)
    assert re.search(r"^tiny  1\.24 MB in ", first.stdout, re.MULTILINE)

    sent = hub.bytes_of_files()
    second = envspec("models", "pull", "local")
    assert sorted(line.split()[:2] for line in second.stdout.splitlines()) == [["chat", "cached"], ["tiny", "cached"]]
    assert hub.bytes_of_files() == sent


def test_a_repository_comes_by_its_name_at_a_revision_or_at_main(envspec: Any, hub: Hub) -> None:
    write_model(hub.root, "org/chat", 0.1)
    old = hub.commit("org/chat")
    (hub.root / "org/chat/README.md").write_text("newer")
    for what, commit in (("org/chat", hub.commit("org/chat")), (f"org/chat@{old}", old)):
        result = envspec("models", "pull", what)
        assert (result.returncode, result.stdout.rstrip().endswith(f"/snapshots/{commit}")) == (0, True)


def test_a_commit_may_be_written_in_capitals(envspec: Any, hub: Hub) -> None:
    write_model(hub.root, "org/chat", 0.1)
    commit = hub.commit("org/chat")
    result = envspec("models", "pull", f"org/chat@{commit.upper()}")
    assert (result.returncode, result.stdout.rstrip().endswith(f"/snapshots/{commit}")) == (0, True)


def test_what_several_environments_name_comes_once(envspec: Any, hub: Hub) -> None:
    for name in ("org/chat", "org/one", "org/two"):
        write_model(hub.root, name, 0.1)
    envspec.write("models: {chat: {repo: org/chat}, tiny: {repo: org/one}}\n", "one")
    envspec.write("models: {llm: {repo: org/chat, revision: main}, tiny: {repo: org/two}}\n", "two")
    result = envspec("models", "pull", "one", "two", "one", "org/chat", "org/one@main")
    assert (result.returncode, result.stderr) == (0, "")
    lines = sorted(re.split("  +", line)[0] for line in result.stdout.splitlines())
    assert lines == ["chat", "tiny (one)", "tiny (two)"]
    assert len([request for request in hub.requests if "/revision/" in request.path]) == 3


def test_a_branch_that_moves_is_at_one_commit_for_all_that_is_pulled(envspec: Any, hub: Hub) -> None:
    folder = write_model(hub.root, "org/moving", 0.1)

    def move(path: str) -> None:
        if "/revision/main" in path:
            (folder / "README.md").write_text(str(hub.requests))

    hub.before = move
    only = "m2: {repo: org/moving, tokenizer_only: true}, m3: {repo: org/moving, include: ['*.json']}"
    envspec.write(f"models: {{m: {{repo: org/moving}}, {only}}}\n")
    result = envspec("models", "pull")
    assert result.returncode == 0
    assert len({line.rpartition("/snapshots/")[2] for line in result.stdout.splitlines()}) == 1
    assert sum("/revision/" in request.path for request in hub.requests) == 1


@pytest.mark.parametrize("command", [("run", "local", "--", "true"), ("up", "-d")], ids=" ".join)
@pytest.mark.parametrize("variable", ["HF_HOME", "HF_HUB_CACHE"])
def test_a_relative_cache_is_the_callers_for_all(
    envspec: Any, hub: Hub, variable: str, command: tuple[str, ...]
) -> None:
    source = write_model(hub.root, "org/chat", 0.1)
    envspec.write(
        "models: {chat: {repo: org/chat}, tiny: {synthetic: {architecture: qwen3}}}\n"
        "services: {s: {models: [chat], ports: {p: auto}, command: [sh, -c, 'env > {{ project }}/seen; "
        "exec python -m http.server {{ ports.p }} --bind 127.0.0.1'], health: [{http: {port: p}}]}}\n"
    )
    for name in ("HF_HOME", "HF_HUB_CACHE"):
        envspec.environ.pop(name, None)
    envspec.environ.update({variable: "relative/hub", "ENVSPEC_CACHE_DIR": "relative/own"})
    pulled = envspec("models", "pull")
    assert pulled.returncode == 0
    sent = hub.bytes_of_files()

    started = envspec(*command)
    assert started.returncode == 0, started.stderr
    envspec("down")

    here = envspec.project / "relative"
    seen = dict(line.partition("=")[::2] for line in (envspec.project / "seen").read_text().splitlines())
    assert seen[variable] == str(here / "hub")
    assert hub.bytes_of_files() == sent
    (snapshot,) = here.glob("**/snapshots/*")
    assert digest_of(snapshot) == digest_of(source)
    assert not [path for path in envspec.project.rglob("relative") if path != here]


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("HF_HUB_DOWNLOAD_TIMEOUT", "abc", "HF_HUB_DOWNLOAD_TIMEOUT is 'abc', and must be a whole number"),
        ("HF_ENDPOINT", "ftp://x", "HF_ENDPOINT is 'ftp://x', which is no address of a hub"),
        ("HF_TOKEN", "hf_secret\nmore", "the token in HF_TOKEN has a character that no token has"),
    ],
)
@pytest.mark.parametrize("command", [("models", "pull"), ("models", "pin"), ("up",)], ids=" ".join)
def test_a_wrong_variable_is_told_once_whatever_needs_it(
    envspec: Any, variable: str, value: str, said: str, command: tuple[str, ...]
) -> None:
    envspec.write("services: {s: {command: [sleep, inf]}}\nmodels: {one: {repo: org/one}, two: {repo: org/two}}\n")
    result = envspec(*command, **{variable: value})
    assert (result.returncode, result.stderr.count(said), result.stderr.count("hint: ")) == (2, 1, 1)
    assert "secret" not in result.stdout + result.stderr


def test_vars_are_those_of_the_environments_that_are_named_beside_repositories(envspec: Any, hub: Hub) -> None:
    write_model(hub.root, "org/large", 0.1)
    write_model(hub.root, "org/other", 0.1)
    envspec.write("vars: {size: small}\nmodels: {chat: {repo: 'org/{{ vars.size }}'}}\n")
    result = envspec("models", "pull", "local", "org/other", "--set", "size=large")
    assert (result.returncode, len(result.stdout.splitlines())) == (0, 2)


def test_vars_choose_what_is_pulled(envspec: Any, hub: Hub) -> None:
    write_model(hub.root, "org/large", 0.1)
    envspec.write("vars: {size: small}\nmodels: {chat: {repo: 'org/{{ vars.size }}'}}\n")
    assert envspec("models", "pull", "--set", "size=large").returncode == 0
    assert "no model org/small" in envspec("models", "pull").stderr


def test_one_that_cannot_be_had_is_told_and_the_others_come(envspec: Any, hub: Hub) -> None:
    write_model(hub.root, "org/chat", 0.1)
    write_model(hub.root, "org/secret", 0.1)
    hub.gated.add("org/secret")
    envspec.write(
        "models: {none: {repo: org/none}, chat: {repo: org/chat}, secret: {repo: org/secret}, near: {path: x}}\n"
    )
    result = envspec("models", "pull")
    assert result.returncode == 3
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["chat"]
    errors = re.findall(r"^error: (.*)$", result.stderr, re.MULTILINE)
    assert len(errors) == result.stderr.count("hint: ") == 3
    for word in ("org/none", "org/secret", f"model near: there is nothing at {envspec.project}/environments/x"):
        assert any(word in error for error in errors)
    assert [error.rpartition(".yaml:")[2] for error in sorted(errors)] == ["1:23)", "1:99)", "1:73)"]


def test_what_may_pass_is_tried_again_and_said(envspec: Any, hub: Hub) -> None:
    write_model(hub.root, "org/chat", 0.1)
    hub.fail(503, times=2)
    result = envspec("models", "pull", "org/chat")
    assert result.returncode == 0
    assert re.search(r"^org/chat  .*503.*; again in ", result.stderr, re.MULTILINE)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("nope",), "there is no environment 'nope'"),
        (("environments/nope.yaml",), "there is no file "),
        (("environments",), "/environments is a directory, and an environment is a file"),
        (("environments/",), "/environments is a directory, and an environment is a file"),
        (("./environments",), "/environments is a directory, and an environment is a file"),
        (("org/name@../../x",), "the revision of org/name@../../x: '../../x' is no branch, tag or commit"),
        (("org/name@",), "the revision of org/name@: this is empty"),
        (("local", "org/na--me"), "org/na--me is neither an environment nor a repository"),
        (("org/name/more",), "org/name/more is neither an environment nor a repository such as org/name"),
        (
            ("org/name", "--set", "a=b"),
            "--set gives values to the vars of an environment, and org/name is a repository",
        ),
    ],
)
def test_what_is_neither_an_environment_nor_a_repository_is_refused(
    envspec: Any, argv: tuple[str, ...], said: str
) -> None:
    envspec.write(TWO)
    result = envspec("models", "pull", *argv)
    assert result.returncode == 2
    assert said in result.stderr


def test_an_environment_without_models_needs_none(envspec: Any, web: str) -> None:
    envspec.write(web)
    result = envspec("models", "pull")
    assert (result.returncode, result.stderr) == (0, "local declares no model.\n")
    envspec.write(web, "other")
    assert envspec("models", "pull", "local", "other").stderr == "local, other declare no model.\n"


def test_ctrl_c_ends_it_at_once_and_what_is_half_done_is_not_trusted(envspec: Any, hub: Hub) -> None:
    write_model(hub.root, "org/chat", 3)
    hub.spoil("model.safetensors", stall=2_000_000, times=9)
    running = envspec.start("models", "pull", "org/chat")
    hub_has_begun(hub)
    running.signal(signal.SIGINT)
    assert running.end() == 130
    assert (running.out, running.err) == ("", f"{INTERRUPTED}\n")
    assert not list(Path(envspec.environ["HF_HOME"]).rglob("*.incomplete"))
    assert not any(request.range for request in hub.requests)  # it did not wait until it could go on
    hub.faults.clear()
    assert envspec("models", "pull", "org/chat").returncode == 0
    assert envspec("models", "pull", "org/chat").stdout.split()[1] == "cached"


def test_what_cannot_be_had_is_told_at_once_and_in_the_end(envspec: Any, hub: Hub) -> None:
    write_model(hub.root, "org/chat", 0.1)
    asked, go_on = hold_up(hub, "/model.safetensors")
    running = envspec.start("models", "pull", "org/none", "org/chat")
    assert asked.wait(PATIENCE)
    running.until("org/none  ")
    early = running.err
    go_on.set()
    assert running.end() == 3
    assert re.fullmatch(r"org/none  \S+ has no model org/none, or none that can be seen .*\n", early)
    assert running.out.startswith("org/chat  ")
    assert running.err.startswith(f"{early}error: ")
    assert "has no model org/none" in running.err.removeprefix(early)


def test_what_could_not_be_had_is_told_after_ctrl_c_too(envspec: Any, hub: Hub) -> None:
    write_model(hub.root, "org/chat", 0.1)
    asked, go_on = hold_up(hub, "/model.safetensors")
    running = envspec.start("models", "pull", "org/none", "org/chat")
    assert asked.wait(PATIENCE)
    running.until("org/none  ")
    running.signal(signal.SIGINT)
    go_on.set()
    assert running.end() == 130
    assert "has no model org/none" in running.err.partition("error: ")[2]
    assert running.err.endswith(f"{INTERRUPTED}\n")


def hold_up(hub: Hub, name: str) -> tuple[threading.Event, threading.Event]:
    """Let the hub not answer for files of that name until the second event; the first is that it was asked."""
    asked, go_on = threading.Event(), threading.Event()

    def before(path: str) -> None:
        if path.endswith(name):
            asked.set()
            go_on.wait(PATIENCE)

    hub.before = before
    return asked, go_on


def test_ctrl_c_leaves_nothing_of_what_was_being_made(envspec: Any) -> None:
    large = "{architecture: qwen3, hidden_size: 1024, intermediate_size: 4096, layers: 4}"
    envspec.write(f"models: {{large: {{synthetic: {large}}}}}\n")
    running = envspec.start("models", "pull")
    made = Path(envspec.environ["ENVSPEC_CACHE_DIR"]) / "models" / "synthetic"
    eventually(lambda: list(made.glob(".*.part-*")), "the making")
    running.signal(signal.SIGINT)
    assert (running.end(), running.err) == (130, f"{INTERRUPTED}\n")
    assert not list(made.glob(".*.part-*"))


def test_what_was_only_linked_or_verified_is_not_called_a_download(envspec: Any, hub: Hub) -> None:
    write_model(hub.root, "org/chat", 1, parts=2)
    snapshot = Path(envspec("models", "pull", "org/chat").stdout.split()[-1])
    for link in snapshot.iterdir():
        link.unlink()
    sent = hub.bytes_of_files()

    linked = envspec("models", "pull", "org/chat")

    assert re.fullmatch(r"org/chat  cached, complete after .+  /.+\n", linked.stdout)
    assert hub.bytes_of_files() == sent

    (snapshot / "model-00001-of-00002.safetensors").resolve().unlink()
    part = envspec("models", "pull", "org/chat")
    assert re.match(r"org/chat  500 KB of 1\.00 MB in ", part.stdout)


def hub_has_begun(hub: Hub) -> None:
    """Wait until the stalled file has been asked for."""
    eventually(lambda: any(fault.times < 9 for fault in hub.faults), "the download")
