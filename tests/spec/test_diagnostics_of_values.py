"""What pydantic finds wrong is said in the file's words: key, place, what is wanted, what is there."""

from __future__ import annotations

import shlex

import pytest
from pydantic import ValidationError

from envspec.errors import Diagnostic
from envspec.spec import source
from envspec.spec.corrections import list_hint
from envspec.spec.diagnostics import suggest
from envspec.spec.environment_file import EnvironmentFile
from envspec.spec.nodes import plain_data
from envspec.spec.validation_errors import diagnostics_of


def wrong(text: str) -> list[Diagnostic]:
    root = source.parse(text, "f.yaml")
    with pytest.raises(ValidationError) as caught:
        EnvironmentFile.model_validate(plain_data(root))
    return diagnostics_of(caught.value, root, EnvironmentFile)


@pytest.mark.parametrize(
    ("text", "place", "code", "message", "hint"),
    [
        ("descripton: x", (1, 1), "unknown-key", "this has no key 'descripton'", "did you mean 'description'?"),
        ("version: 2", (1, 10), "wrong-value", "'version' must be 1, not 2", ""),
        ("start_timeout: 30", (1, 16), "wrong-value", "'start_timeout': a duration needs a unit: 30s?", ""),
        ("requires: {memory: 5GB5}", (1, 20), "wrong-value", "'memory': '5GB5' is not a size", ""),
        ("env: {A: 8000}", (1, 10), "wrong-type", "'A' must be text, not a number (8000)", 'quote it: "8000"'),
        ("env: {A: [x]}", (1, 10), "wrong-type", "'A' must be text, not a list", ""),
        ("ready: {http: 3}", (1, 8), "wrong-type", "'ready' must be a list, not a mapping", ""),
        ("ready: [[]]", (1, 9), "wrong-value", "item 1 of 'ready': an item is a mapping with one key", ""),
        ("ready: [{htp: {}}]", (1, 10), "unknown-key", "'htp' is no validator", "'http'"),
        ("ready: [{foo: {}}]", (1, 10), "unknown-key", "'foo' is no validator", "known here: etcd, exec, grpc"),
        ('version: "1"', (1, 10), "wrong-value", "'version' must be the number 1, not text", "1 without quotes"),
        ("inherit_env: '*'", (1, 14), "wrong-type", "must be a list", 'write ["*"]'),
        ("inherit_env: PATH, CUDA_*", (1, 14), "wrong-type", "must be a list", 'write [PATH, "CUDA_*"]'),
        ("ready: [{http: {stats: 200}}]", (1, 17), "unknown-key", "'http' has no key 'stats'", "'status'"),
        ("models: {a: {synthetic: {}}}", (1, 14), "missing-key", "'synthetic' needs the key 'architecture'", ""),
        ("services: {a-b: {}}", (1, 12), "bad-name", "has a hyphen, which templates read as a minus", ""),
        ("services: {a: hello}", (1, 15), "wrong-type", "'a' must be a mapping, not text (hello)", ""),
        ("services: {a: {command: python x}}", (1, 25), "wrong-type", "must be a list", "write [python, x]"),
        ("services: {a: {args: [1]}}", (1, 23), "wrong-type", "item 1 of 'args' must be text", 'quote it: "1"'),
        ("services: {a: {replicas: '3'}}", (1, 26), "wrong-type", "a whole number, not text (3)", "without quotes"),
        ("services: {a: {replicas: -1}}", (1, 26), "wrong-value", "'replicas' must be at least 0, not -1", ""),
        ("services: {a: {enabled: 'false'}}", (1, 25), "wrong-type", "true or false, not text", "without quotes"),
        ("services: {a: {enabled: yes}}", (1, 25), "wrong-type", "true or false, not text (yes)", "write true"),
        ("services: {a: {enabled: 0}}", (1, 25), "wrong-type", "true or false, not a number (0)", "write false"),
        ("services: {a: {ports: {s: '9090'}}}", (1, 27), "wrong-value", "'9090' is text", "write 9090 without quotes"),
        ("services: {a: {ports: {s: {range: '9'}}}}", (1, 35), "wrong-value", "'9' is text", "write 9 without quotes"),
        ("services: {a: {ports: {s: '99999'}}}", (1, 27), "wrong-value", "99999 is not a port", ""),
        ("services: {a: {kind: servce}}", (1, 22), "wrong-value", "must be service or task, not servce", "'service'"),
        ("services: {a: {stop: null}}", (1, 22), "wrong-type", "'stop' must be a mapping, not null", ""),
        ("services: {a: {ports: {http: {rnge: 5}}}}", (1, 31), "unknown-key", "'http' has no key 'rnge'", "'range'"),
        (
            "services: {a: {ports: {http: {max: 70000}}}}",
            (1, 36),
            "wrong-value",
            "at most 65535, not 70000",
            "",
        ),
    ],
)
def test_one_mistake_is_one_sentence_at_its_place(
    text: str, place: tuple[int, int], code: str, message: str, hint: str
) -> None:
    (found,) = wrong(text)
    assert (found.line, found.column, found.code) == (*place, code)
    assert message in found.message
    assert hint in found.hint
    assert "Input should" not in found.message


@pytest.mark.parametrize(
    ("written", "column", "message"),
    [
        ("etcd", 27, "'depends_on' must be a list or a mapping, not text (etcd)"),
        ("5", 27, "'depends_on' must be a list or a mapping, not a number (5)"),
        ("[etcd, [x]]", 34, "item 2 of 'depends_on' must be text, not a list"),
        ("{etcd: helthy}", 34, "'etcd' must be started, healthy, exited or succeeded, not helthy"),
    ],
)
def test_a_union_complains_once_about_the_member_that_was_meant(written: str, column: int, message: str) -> None:
    (found,) = wrong(f"services: {{a: {{depends_on: {written}}}}}")
    assert (found.column, found.message) == (column + 1, message)


def test_all_mistakes_come_at_once_in_the_order_of_the_file() -> None:
    text = "version: 2\nservices:\n  a:\n    stop: {timout: 5s}\n    kind: x\n  b: 1\nmodels:\n  m: {repo: 3}\n"
    assert [d.line for d in wrong(text)] == [1, 4, 5, 6, 8]


def test_a_value_whose_template_failed_is_not_told_again() -> None:
    found = wrong("services: {a: {replicas: '{{ vars.x }}', enabled: '{{ vars.y }}', kind: x, nokey: '{{ z }}'}}")
    assert [d.message.split(" must")[0] for d in found] == ["'kind'", "'a' has no key 'nokey'"]


def test_a_long_or_unprintable_text_is_not_repeated() -> None:
    (found,) = wrong(f"services: {{a: {{kind: {'x' * 100}}}}}")
    assert found.message.endswith(f"not {'x' * 40}…")
    (found,) = wrong('services: {a: {kind: "\\u001b[31m"}}')
    assert found.message.endswith("not text")


@pytest.mark.parametrize(
    ("word", "candidates", "hint"),
    [
        ("depend_on", ["depends_on", "env"], "did you mean 'depends_on'?"),
        ("Depends-On", ["depends_on", "env"], "did you mean 'depends_on'?"),
        ("zzz", ["b", "a"], "known here: a, b"),
        ("zzz", [f"key{n}" for n in range(20)], ""),
        ("zzz", [], ""),
    ],
)
def test_the_nearest_word_is_suggested(word: str, candidates: list[str], hint: str) -> None:
    assert suggest(word, candidates) == hint


@pytest.mark.parametrize(
    "command",
    [
        'sh -c "a, b" #x: {y}',
        "sleep 100",
        "x --a=b -v ~/c 'it''s' null true",
        "a: b: c",
        "[x] {y} *z &w !v %u @t",
        "- ''",
    ],
)
def test_a_command_written_as_a_hint_says_is_what_a_shell_would_run(command: str) -> None:
    hint = list_hint(command, is_command=True)
    read = source.parse(hint.removeprefix("write "), "f.yaml")
    assert plain_data(read) == shlex.split(command)


def test_no_list_is_offered_for_a_quote_that_is_never_closed() -> None:
    assert list_hint("sh -c 'x", is_command=True) == ""
