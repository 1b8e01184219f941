"""Commits written into files: everything else of them stays as it was, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from envspec.errors import SpecError
from envspec.spec.load import load
from envspec.spec.pin import pin_of, pinned, unpinned

C = "0123456789abcdef0123456789abcdef01234567"
D = "fedcba9876543210fedcba9876543210fedcba98"
DIGITS = "1" * 40


def pin(folder: Path, text: str, commits: dict[str, str] | None = None) -> str:
    """Pin all models of a text that are not, to `C` or to what `commits` says, and return the text."""
    file = folder / "env.yaml"
    file.write_bytes(text.encode())
    pins = [pin_of(model, (commits or {}).get(model.name, C)) for model in unpinned(load(file, environ={}))]
    return pinned(text, str(file), pins)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("  a:\n    repo: o/n\n    preload: false\n", "  a:\n    repo: o/n\n    revision: C\n    preload: false\n"),
        ("  a:\n    repo: o/n", "  a:\n    repo: o/n\n    revision: C"),
        (
            "  a:\r\n    repo: o/n\r\n  b: {path: x}\r\n",
            "  a:\r\n    repo: o/n\r\n    revision: C\r\n  b: {path: x}\r\n",
        ),
        ("  a:\n    repo: o/n  # ours\n\n  # end\n", "  a:\n    repo: o/n  # ours\n    revision: C\n\n  # end\n"),
        ("  a:\n      name: x\n      repo: 'o/n'\n", "  a:\n      name: x\n      repo: 'o/n'\n      revision: C\n"),
        (
            "  a:\n    repo: >-\n      o/n\n\n  b: {path: x}\n",
            "  a:\n    repo: >-\n      o/n\n    revision: C\n\n  b: {path: x}\n",
        ),
        ("  a:\n    repo:\n      o/n # far\n", "  a:\n    repo:\n      o/n # far\n    revision: C\n"),
        ("  a: {repo: o/n}\n", "  a: {repo: o/n, revision: C}\n"),
        ("  a: { repo: o/n , preload: false } # x\n", "  a: { repo: o/n, revision: C , preload: false } # x\n"),
        ('  a: {"repo":"o/n","preload":true}\n', '  a: {"repo":"o/n", "revision":"C","preload":true}\n'),
        ("  a: {'repo': o/n}\n", "  a: {'repo': o/n, 'revision': 'C'}\n"),
        (
            "  a: {\n    repo: o/n,  # x\n    preload: true,\n  }\n",
            "  a: {\n    repo: o/n,  # x\n    revision: C,\n    preload: true,\n  }\n",
        ),
        ("  a: {\n    repo: o/n\n  }\n", "  a: {\n    repo: o/n, revision: C\n  }\n"),
        ("  a: {repo: &r o/n}\n  b: {repo: *r}\n", "  a: {repo: &r o/n, revision: C}\n  b: {repo: *r, revision: C}\n"),
    ],
)
def test_a_commit_is_written_behind_the_repository(tmp_path: Path, before: str, after: str) -> None:
    head = "# é: a file\nversion: 1\nmodels:\n"
    assert pin(tmp_path, head + before) == head + after.replace("C", C)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "  a:\n    revision: main # the branch\n    repo: o/n\n",
            "  a:\n    revision: C # the branch\n    repo: o/n\n",
        ),
        ("  a: {repo: o/n, revision: 'v1'}\n", "  a: {repo: o/n, revision: 'C'}\n"),
        (
            '  a: {repo: o/n, revision: "v\\u0031" , preload: true}\n',
            '  a: {repo: o/n, revision: "C" , preload: true}\n',
        ),
        ("  a:\n    repo: o/n\n    revision:   # none yet\n", "  a:\n    repo: o/n\n    revision: C   # none yet\n"),
        ("  a: {repo: o/n, revision: }\n", "  a: {repo: o/n, revision: C}\n"),
        ("  a: {repo: o/n, revision}\n", "  a: {repo: o/n, revision: C}\n"),
        ("  a: {repo: o/n, revision: ~}\n", "  a: {repo: o/n, revision: C}\n"),
        ("  a: {repo: o/n, revision: !!str 12}\n", "  a: {repo: o/n, revision: !!str C}\n"),
        ("  a: {repo: o/n, revision: &v v1}\n", "  a: {repo: o/n, revision: &v C}\n"),
        (
            "  a:\n    repo: o/n\n    revision: |-\n      v1\n\n  # b\n",
            "  a:\n    repo: o/n\n    revision: C\n\n  # b\n",
        ),
    ],
)
def test_a_revision_is_replaced_where_it_stands(tmp_path: Path, before: str, after: str) -> None:
    assert pin(tmp_path, f"models:\n{before}") == f"models:\n{after.replace('C', C)}"


def test_only_what_is_not_pinned_is_touched(tmp_path: Path) -> None:
    text = f"models: {{a: {{repo: o/a, revision: {D}}}, b: {{synthetic: {{architecture: qwen3}}}}, c: {{path: x}}}}\n"
    assert pin(tmp_path, text) == text


def test_every_model_gets_its_own_commit(tmp_path: Path) -> None:
    text = "models:\n  a: {repo: o/a}\n  b:\n    repo: o/b\n"
    assert pin(tmp_path, text, {"a": C, "b": D}) == (
        f"models:\n  a: {{repo: o/a, revision: {C}}}\n  b:\n    repo: o/b\n    revision: {D}\n"
    )


def test_what_models_share_is_written_once(tmp_path: Path) -> None:
    text = (
        "x-base: &base {repo: o/n}\nmodels: {a: *base, b: {<<: *base, preload: false}, c: {<<: *base, revision: v}}\n"
    )
    expected = text.replace("o/n", f"o/n, revision: {C}").replace("revision: v", f"revision: {D}")
    assert pin(tmp_path, text, {"c": D}) == expected


def test_an_alias_gives_way_to_the_commit(tmp_path: Path) -> None:
    text = f"x-one: &v {D}\nx-two: &b main\nmodels: {{a: {{repo: o, revision: *b }}, b: {{repo: o, revision: *v }}}}\n"
    assert pin(tmp_path, text) == text.replace("*b", C)


def test_a_commit_that_reads_as_a_number_is_quoted(tmp_path: Path) -> None:
    assert pin(tmp_path, "models: {a: {repo: o/n}}\n", {"a": DIGITS}) == (
        f'models: {{a: {{repo: o/n, revision: "{DIGITS}"}}}}\n'
    )


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("models: {a: {repo: o/n, revision: &v main}, b: {repo: o/m, revision: *v }}\n", "1:25"),
        ("models:\n  a:\n    ? repo\n    : o/n\n", "3:7"),
    ],
    ids=["an anchor that others use", "an explicit key"],
)
def test_what_cannot_be_written_alone_is_refused_and_told(tmp_path: Path, text: str, place: str) -> None:
    with pytest.raises(SpecError) as caught:
        pin(tmp_path, text)
    (found,) = caught.value.diagnostics
    assert f"{found.line}:{found.column}" == place
    assert found.message == "the commit of the model 'a' cannot be written here without changing more than that"
    assert found.hint == f"write it yourself: revision: {C}"


def test_the_models_that_cannot_be_written_are_named_and_no_others(tmp_path: Path) -> None:
    bad = "    ? repo\n    : o/n\n"
    text = f"models:\n  good: {{repo: o/n}}\n  b:\n{bad}  fine:\n    repo: o/n\n  d:\n{bad}"
    with pytest.raises(SpecError) as caught:
        pin(tmp_path, text)
    assert [(found.line, found.column) for found in caught.value.diagnostics] == [(4, 7), (9, 7)]
    assert [found.message.split("'")[1] for found in caught.value.diagnostics] == ["b", "d"]


@pytest.mark.parametrize("key", ["repo", "revision"])
def test_what_a_template_says_is_not_pinned(tmp_path: Path, key: str) -> None:
    keys = {"repo": "o/n", "revision": "main", key: "{{ vars.x }}"}
    text = f"vars: {{x: dev}}\nmodels: {{a: {{repo: '{keys['repo']}', revision: '{keys['revision']}'}}}}\n"
    with pytest.raises(SpecError) as caught:
        pin(tmp_path, text)
    (found,) = caught.value.diagnostics
    assert found.message == f"'{key}' of the model 'a' is computed, so that no commit can be written here"


def test_a_byte_order_mark_stays_where_it_is(tmp_path: Path) -> None:
    text = "\ufeffmodels: {a: {repo: o/n}}\n"
    assert pin(tmp_path, text) == f"\ufeffmodels: {{a: {{repo: o/n, revision: {C}}}}}\n"
