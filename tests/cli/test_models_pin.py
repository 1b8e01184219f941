"""`envspec models pin`: commits in the files, of every model that was at a branch."""

from __future__ import annotations

import re
import resource
import subprocess
from typing import Any

import pytest

from tests.models.hub_models import write_model
from tests.models.hub_server import Hub


def test_commits_are_written_and_nothing_else_is_touched(envspec: Any, hub: Hub) -> None:
    for name in ("one", "two"):
        write_model(hub.root, f"org/{name}", 0.1)
    lines = (
        "# ours",
        "models:",
        "  one: {repo: org/one}  # small",
        "  two:",
        "    repo: 'org/two'",
        "    revision: main",
    )
    text = "".join(f"{line}\r\n" for line in lines)
    file = envspec.write("")
    file.write_bytes(text.encode())
    result = envspec("models", "pin")

    one, two = hub.commit("org/one"), hub.commit("org/two")
    assert result.stdout.splitlines() == [
        f"{file}: one is pinned to {one} (main)",
        f"{file}: two is pinned to {two} (main)",
    ]
    expected = text.replace("org/one", f"org/one, revision: {one}").replace("revision: main", f"revision: {two}")
    assert file.read_bytes().decode() == expected

    asked = len(hub.requests)
    assert envspec("models", "pin").stdout == "local: there is nothing to pin\n"
    assert envspec("models", "pin", "--check").returncode == 0
    assert len(hub.requests) == asked


def test_a_tag_is_pinned_to_what_it_is_at(envspec: Any, hub: Hub) -> None:
    write_model(hub.root, "org/one", 0.1)
    old = hub.commit("org/one")
    (hub.root / "org/one/README.md").write_text("newer")
    file = envspec.write(f"models: {{a: {{repo: org/one, revision: {old}}}, b: {{repo: org/one}}}}\n")
    assert envspec("models", "pin").returncode == 0
    assert file.read_text() == (
        f"models: {{a: {{repo: org/one, revision: {old}}}, b: {{repo: org/one, revision: {hub.commit('org/one')}}}}}\n"
    )


def test_models_of_one_branch_are_pinned_to_one_commit(envspec: Any, hub: Hub) -> None:
    folder = write_model(hub.root, "org/one", 0.1)

    def move(_path: str) -> None:
        (folder / "README.md").write_text(str(hub.requests))

    hub.before = move
    file = envspec.write("models: {a: {repo: org/one}, b: {repo: org/one, tokenizer_only: true}}\n")
    assert envspec("models", "pin").returncode == 0
    assert len(set(re.findall("[0-9a-f]{40}", file.read_text()))) == 1
    assert sum("/revision/" in request.path for request in hub.requests) == 1


def test_a_model_of_a_base_is_pinned_in_the_base(envspec: Any, hub: Hub) -> None:
    write_model(hub.root, "org/one", 0.1)
    base = envspec.write("models:\n  one:\n    repo: org/one\n", "base")
    file = envspec.write("extends: base.yaml\nmodels: {two: {repo: org/one}}\n")
    assert envspec("models", "pin", "local").returncode == 0
    commit = hub.commit("org/one")
    assert base.read_text() == f"models:\n  one:\n    repo: org/one\n    revision: {commit}\n"
    assert file.read_text() == f"extends: base.yaml\nmodels: {{two: {{repo: org/one, revision: {commit}}}}}\n"


def test_check_names_every_model_that_is_not_pinned_and_asks_nobody(envspec: Any, hub: Hub) -> None:
    text = "models:\n  one: {repo: org/one}\n  two:\n    repo: org/two\n    revision: v1\n  three: {path: /w}\n"
    file = envspec.write(text)
    result = envspec("models", "pin", "--check")
    assert result.returncode == 2
    assert "local.yaml:2:9: error[not-pinned]: the model 'one' is at 'main', which may mean something" in result.stderr
    assert "local.yaml:5:5: error[not-pinned]: the model 'two' is at 'v1', which may mean something" in result.stderr
    assert "hint: `envspec models pin local` writes the commit that it is at" in result.stderr
    assert "2 errors in 1 file" in result.stderr
    assert file.read_text() == text
    assert hub.requests == []


def test_nothing_is_written_where_one_model_cannot_be_pinned(envspec: Any, hub: Hub) -> None:
    write_model(hub.root, "org/one", 0.1)
    text = "vars: {x: two}\nmodels: {a: {repo: org/one}, b: {repo: 'org/{{ vars.x }}'}}\n"
    file = envspec.write(text)
    result = envspec("models", "pin")
    assert result.returncode == 2
    assert "local.yaml:2:40: error[computed]: 'repo' of the model 'b' is computed" in result.stderr
    assert hub.requests == []

    file.write_text(missing := "models: {a: {repo: org/one}, b: {repo: org/none}}\n")
    result = envspec("models", "pin")
    assert (result.returncode, "no model org/none" in result.stderr) == (3, True)
    assert file.read_text() == missing


@pytest.mark.parametrize("cut_off", ["the hub has trouble", "offline"])
def test_what_a_branch_was_last_seen_at_is_not_what_it_is_at(envspec: Any, hub: Hub, cut_off: str) -> None:
    write_model(hub.root, "org/one", 0.1)
    file = envspec.write("models: {a: {repo: org/one}}\n")
    assert envspec("models", "pull").returncode == 0
    if cut_off == "offline":
        envspec.environ["HF_HUB_OFFLINE"] = "1"
    else:
        hub.fail(503, times=99, on="/revision/", headers={"Retry-After": "0"})
    before, result = file.read_text(), envspec("models", "pin")

    assert result.returncode == 3
    assert file.read_text() == before


def test_show_has_a_place_for_a_commit_that_is_not_known_yet(envspec: Any) -> None:
    envspec.write("models: {a: {repo: org/one}}\nservices: {s: {command: [echo, 'at {{ models.a.commit }}']}}\n")

    assert envspec.json("show")["services"]["s"]["command"] == ["echo", "at <models.a.commit>"]


def test_every_model_that_cannot_be_pinned_is_told_with_its_place(envspec: Any, hub: Hub) -> None:
    write_model(hub.root, "org/one", 0.1)
    text = "models:\n  a: {repo: org/none}\n  b: {repo: org/one}\n  c:\n    repo: org/nope\n"
    file = envspec.write(text)
    result = envspec("models", "pin")
    assert (result.returncode, file.read_text(), result.stdout) == (3, text, "")
    assert re.findall(r"error: (model \w): .* has no model (\S+),.*local\.yaml:(\d+:\d+)\)", result.stderr) == [
        ("model a", "org/none", "2:13"),
        ("model c", "org/nope", "5:11"),
    ]

    envspec.write("vars: {x: one}\nmodels: {a: {repo: 'org/{{ vars.x }}'}, b: {repo: 'o/{{ vars.x }}'}}\n")
    result = envspec("models", "pin")
    assert (result.returncode, result.stderr.count("error[computed]")) == (2, 2)


def test_a_disk_without_room_leaves_every_file_as_it_was(envspec: Any, hub: Hub) -> None:
    """A limit on the size of files stands for the disk."""
    write_model(hub.root, "org/one", 0.1)
    base = envspec.write("models: {one: {repo: org/one}}\n", "base")
    long = "models: {two: {repo: org/one}}\n# " + "x" * 9000 + "\n"
    file = envspec.write(f"extends: base.yaml\n{long}")
    before = {path: path.read_bytes() for path in (base, file)}
    result = subprocess.run(
        [envspec.program, "models", "pin", "local"],
        cwd=envspec.project,
        env=envspec.environ,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert re.search(rf"error: {file} cannot be written: .*; it is unchanged$", result.stderr, re.MULTILINE)
    assert "standard output" not in result.stderr
    assert {path: path.read_bytes() for path in before} == before


def test_links_and_the_mode_of_a_file_stay(envspec: Any, hub: Hub) -> None:
    write_model(hub.root, "org/one", 0.1)
    file = envspec.write("models: {one: {repo: org/one}}\n")
    real, other = envspec.project / "real.yaml", envspec.project / "other.yaml"
    file.rename(real)
    real.chmod(0o640)
    file.symlink_to(real)
    other.hardlink_to(real)
    assert envspec("models", "pin").returncode == 0
    assert hub.commit("org/one") in other.read_text()
    assert (file.is_symlink(), real.stat().st_nlink, real.stat().st_mode & 0o777) == (True, 2, 0o640)
    assert sorted(path.name for path in file.parent.iterdir()) == ["local.yaml"]
