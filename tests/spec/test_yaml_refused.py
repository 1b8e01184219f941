"""Every file that is no environment gets sentences with a place, and never a traceback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from envspec.errors import Diagnostic, SpecError
from envspec.spec import source
from envspec.spec.nodes import plain_data
from envspec.spec.template import references


def refused(text: str) -> tuple[Diagnostic, ...]:
    with pytest.raises(SpecError) as caught:
        source.parse(text, "f.yaml")
    return caught.value.diagnostics


@pytest.mark.parametrize(
    ("text", "place", "code", "words"),
    [
        ("a:\n\tb: 1\n", (2, 1), "syntax", "a tab cannot indent"),
        ("a: b: c\n", (1, 5), "syntax", "a second ': ' on one line"),
        ("a: 1\n b: 2\n", (2, 3), "syntax", "this key does not fit"),
        ("a:b\nc: 1\n", (2, 2), "syntax", "this key does not fit"),
        ("a: 'x\nb: 1\n", (1, 4), "syntax", "the quote that opens here is never closed"),
        ("a: [1, 2\nb: 1\n", (1, 4), "syntax", "the list that opens with '['"),
        ("a: {x: 1\nb: 1\n", (1, 4), "syntax", "the mapping that opens with '{'"),
        ("- a\nb: 1\n", (2, 1), "syntax", "does not fit the list"),
        ("a: 1\n- b\n", (2, 1), "syntax", "does not fit the mapping"),
        ("a: [*]\n", (1, 5), "syntax", "'*' begins an alias"),
        ("a: @x\n", (1, 4), "syntax", "cannot begin with '@'"),
        ('a: "\\q"\n', (1, 5), "syntax", "this escape does not exist"),
        ("a: 1\nb\nc: 2\n", (2, 1), "syntax", "no `key: value`"),
        ("a: |x\n  y\n", (1, 5), "syntax", "nothing may follow"),
        ("a: - b\n", (1, 4), "syntax", "a list cannot begin on the line of its key"),
        ("a: 1\n...\nb: 2\n", (3, 1), "syntax", "ended with '...'"),
        ("a: \x01\n", (1, 4), "syntax", "U+0001"),
        ("a: \udcff\n", (1, 4), "syntax", "U+DCFF"),
        ("a: *x\n", (1, 4), "unknown-anchor", "'&x'"),
        ("a: &a [*a]\n", (1, 8), "recursive-alias", "'*a'"),
        ("a: 1\n---\nb: 1\n", (2, 1), "several-documents", "second document"),
        ("a: !!set {b}\n", (1, 4), "unknown-tag", "!!set"),
        ("a: !!map [b]\n", (1, 4), "unknown-tag", "!!map"),
        ("a: !!int five\n", (1, 4), "wrong-type", "the tag !!int is wrong: 'five' is not a whole number"),
        ("a: !!int true\n", (1, 4), "wrong-type", "'true' is not a whole number"),
        ("a: !raw [x]\n", (1, 4), "unknown-tag", "before text"),
        ("1: x\n", (1, 1), "bad-key", "1 is not"),
        ("true: x\n", (1, 1), "bad-key", "true is not"),
        ("? [a]\n: b\n", (1, 3), "bad-key", "not a list or a mapping"),
        ('"{{ x }}": 1\n', (1, 1), "bad-key", "keys are never templates"),
        ("a: {<<: 5}\n", (1, 9), "bad-merge", "takes a mapping"),
        ("a: {<<: *nope}\n", (1, 9), "unknown-anchor", "'&nope'"),
        ("a: &a {<<: [*a]}\n", (1, 13), "recursive-alias", "'*a'"),
        ("a: &k b\nc: {*k : 1, *k : 2}\n", (1, 7), "duplicate-key", "first at line 1, column 7"),
        ("a: &a {b: 1}\nc: {<<: *a, <<: *a}\n", (2, 13), "duplicate-key", "first at line 2, column 5"),
    ],
)
def test_what_is_wrong_is_said_where_it_is(text: str, place: tuple[int, int], code: str, words: str) -> None:
    (found,) = refused(text)
    assert (found.line, found.column, found.code) == (*place, code)
    assert words in found.message


@pytest.mark.parametrize(
    ("text", "column", "quoted"),
    [
        ("a: {{ x }}\n", 4, '"{{ x }}"'),
        ("a: {{ x }}/y\n", 4, '"{{ x }}"'),
        ("a: {{ x['b'] }}\n", 4, "\"{{ x['b'] }}\""),
        ('a: {{ x | default("") }}\n', 4, "'{{ x | default(\"\") }}'"),
        ("a: [b, {{ x }}]\n", 8, '"{{ x }}"'),
        ("a: {A: {{ x }}}\n", 8, '"{{ x }}"'),
        ("a: {A: {{ x }}/y, B: z}\n", 8, '"{{ x }}/y"'),
        ("a: {% if x %}b{% endif %}\n", 4, '"{% if x %}b{% endif %}"'),
        ("a: [b, --port={{ x }}]\n", 15, '"--port={{ x }}"'),
        ("a: {b: c, path: /{{ x }}}\n", 18, '"/{{ x }}"'),
        ("a: {b: sleep {{ x }}, c: d}\n", 14, '"sleep {{ x }}"'),
        ("a: [x{{ y }}z{{ w }}, b]\n", 6, '"x{{ y }}z{{ w }}"'),
        ("a: [b {% if x %}c{% endif %}]\n", 7, '"b {% if x %}c{% endif %}"'),
        ('a: [b, --x="{{ y }}"]\n', 13, "'--x=\"{{ y }}\"'"),
    ],
)
def test_a_bare_template_is_told_to_be_quoted(text: str, column: int, quoted: str) -> None:
    (found,) = refused(text)
    assert (found.line, found.column, found.code) == (1, column, "unquoted-template")
    assert quoted in found.hint


def test_what_a_bare_template_breaks_is_read_all_the_same() -> None:
    beside: list[Diagnostic] = []
    text = (
        "a: {{ x }}/y\nb: [{{ y }}, 1, 'z{{ z }}']\nc:\n  - {A: {{ x }}/y, B: {{ z }}}\n  - d: {% if e %}e{% endif %}\n"
    )
    node = source.parse(text, "f.yaml", beside)
    assert plain_data(node) == {
        "a": "{{ x }}/y",
        "b": ["{{ y }}", 1, "z{{ z }}"],
        "c": [{"A": "{{ x }}/y", "B": "{{ z }}"}, {"d": "{% if e %}e{% endif %}"}],
    }
    assert [(d.line, d.column, d.code) for d in beside] == [
        (line, column, "unquoted-template") for line, column in ((1, 4), (2, 5), (4, 9), (4, 23), (5, 8))
    ]
    assert [(found.mark.line, found.mark.column) for found in references(node)] == [
        (1, 7), (2, 8), (2, 22), (4, 12), (4, 26), (5, 14),
    ]  # fmt: skip


def test_a_bare_template_in_the_midst_of_a_value_is_told_in_its_line_and_read_all_the_same() -> None:
    beside: list[Diagnostic] = []
    node = source.parse("a: [b, # c, d\n  --p={{ x }}, --q={{ y }}]\ne: {f: /{{ z }}}\n", "f.yaml", beside)
    assert plain_data(node) == {"a": ["b", "--p={{ x }}", "--q={{ y }}"], "e": {"f": "/{{ z }}"}}
    assert [(d.line, d.column) for d in beside] == [(2, 7), (2, 20), (3, 9)]


def test_what_stands_behind_a_bracket_that_is_never_closed_is_not_told_to_be_quoted() -> None:
    (found,) = refused("command: [a, b\ncwd: x/{{ y }}\n")
    assert (found.line, found.column, found.code) == (1, 10, "syntax")


def test_a_bare_template_that_goes_on_in_the_next_line_is_told_and_ends_the_reading() -> None:
    found = refused("a: 5\na: {{\n  x }}\n")
    assert [(d.line, d.code) for d in found] == [(2, "duplicate-key"), (2, "unquoted-template")]


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("? [a]\n: 1\nb: {c: 1, c: 2}\n", ["bad-key", "duplicate-key"]),
        ("a: !foo {b: 1}\nb: {c: 1, c: 2}\n", ["unknown-tag", "duplicate-key"]),
        ("a: {<<: text, 5: x}\nb: {c: 1, c: 2}\n", ["bad-merge", "bad-key", "duplicate-key"]),
        ("a: *none\nb: &b [*b]\n5: x\n", ["unknown-anchor", "recursive-alias", "bad-key"]),
    ],
)
def test_mistakes_that_leave_a_tree_are_told_beside_it(text: str, codes: list[str]) -> None:
    beside: list[Diagnostic] = []
    source.parse(text, "f.yaml", beside)
    assert [found.code for found in beside] == codes


def test_a_byte_order_mark_is_no_part_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "env.yaml"
    file.write_bytes(b"\xef\xbb\xbfa: 1\n")
    root = source.read(file)
    assert [(key.text, key.mark.line, key.mark.column) for key, _ in root.items] == [("a", 1, 1)]


def test_a_duplicate_key_names_both_places() -> None:
    (found,) = refused("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n")
    assert (found.line, found.column, found.code) == (5, 3, "duplicate-key")
    assert "first at line 3, column 3" in found.message


def test_a_key_that_is_called_like_a_merge_is_none() -> None:
    assert plain_data(source.parse("a: {'<<': 1, <<: {b: 2}}\n", "f.yaml")) == {"a": {"b": 2, "<<": 1}}


def test_everything_that_does_not_stop_the_reading_is_told_at_once() -> None:
    found = refused("a: 1\na: 2\n5: x\nb: !foo y\nc: {{ z }}\nd: 'open\n")
    assert [d.code for d in found] == ["duplicate-key", "bad-key", "unknown-tag", "unquoted-template", "syntax"]


def test_an_alias_bomb_is_refused_before_it_expands() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    (found,) = refused("\n".join(lines))
    assert found.code == "too-large"
    assert "100000 nodes" in found.message


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_nesting_without_end_is_refused(opening: str) -> None:
    (found,) = refused(opening * 100_000)
    assert found.code == "too-deep"


@pytest.mark.parametrize(
    ("content", "place", "words"),
    [
        (b"", (1, 1), "the file is empty"),
        (b"# nothing\n", (1, 1), "the file is empty"),
        (b"- a\n", (1, 1), "the top level is a list"),
        (b"hello\n", (1, 1), "the top level is text"),
        ("a: 1\n".encode("utf-16"), (1, 1), "not UTF-8, but UTF-16"),
        (b"a: 1\nb: caf\xe9\n", (2, 7), "not UTF-8: byte 0xe9"),
        (b"a: 1\n" * 1_000_000, (1, 1), "larger than 4 MiB"),
    ],
)
def test_a_file_that_holds_no_mapping_is_refused(
    tmp_path: Path, content: bytes, place: tuple[int, int], words: str
) -> None:
    file = tmp_path / "env.yaml"
    file.write_bytes(content)
    with pytest.raises(SpecError) as caught:
        source.read(file)
    (found,) = caught.value.diagnostics
    assert (found.file, found.line, found.column) == (str(file), *place)
    assert words in found.message


def test_what_cannot_be_opened_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    with pytest.raises(SpecError, match="a directory, not a file"):
        source.read(tmp_path)
    with pytest.raises(SpecError, match="there is no such file"):
        source.read(tmp_path / "none.yaml")
    (tmp_path / "env.yaml").touch()
    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", no)  # root may read everything, so no file mode would do
        with pytest.raises(SpecError, match="cannot be read: Permission denied"):
            source.read(tmp_path / "env.yaml")
