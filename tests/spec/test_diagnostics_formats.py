"""Findings are printed for people, programs and GitHub, whatever is in them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from envspec.errors import Diagnostic
from envspec.spec.check_formats import FORMATS, as_text


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "env.yaml"
    path.write_text("a: 1\nservices:\n  wörker: {depend_on: [etcd]}\n日本: \"{{ x\ty }}\"\nbell: '\x1b[31m'\n")
    return str(path)


def finding(file: str, line: int, column: int, hint: str = "did you mean 'b'?") -> Diagnostic:
    return Diagnostic(file, line, column, "unknown-key", "this has no key 'a'", hint)


def test_text_shows_the_line_a_caret_and_the_hint(file: str) -> None:
    shown = FORMATS["text"]([finding(file, 3, 12)], 2)
    assert shown == (
        f"{file}:3:12: error[unknown-key]: this has no key 'a'\n"
        "  3 |   wörker: {depend_on: [etcd]}\n"
        "    |            ^\n"
        "  hint: did you mean 'b'?\n"
        "\n"
        "1 error in 2 files\n"
    )


def test_the_caret_stands_right_below_wide_characters_and_tabs(file: str) -> None:
    lines = FORMATS["text"]([finding(file, 4, 11)], 1).split("\n")
    assert lines[1] == '  4 | 日本: "{{ x y }}"'
    assert lines[2] == "    | " + " " * (10 + 2) + "^"


def test_nothing_of_the_file_reaches_the_terminal_as_a_command(file: str) -> None:
    assert "\x1b" not in FORMATS["text"]([finding(file, 5, 1)], 1)


def test_of_a_long_line_the_part_around_the_caret_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "long.yaml"
    path.write_text("a: " + "x" * 500 + "HERE" + "x" * 500)
    _, source, caret, *_ = FORMATS["text"]([finding(str(path), 1, 504)], 1).split("\n")
    assert len(source) < 130
    assert source[caret.index("^") :].startswith("HERE")


@pytest.mark.parametrize("columns", [30, 60, 80])
def test_a_line_does_not_break_on_a_narrow_terminal(tmp_path: Path, columns: int) -> None:
    path = tmp_path / "long.yaml"
    path.write_text("a: " + "x" * 70 + "HERE" + "x" * 30)
    _, source, caret, *_ = as_text([finding(str(path), 1, 74)], 1, columns).split("\n")

    assert len(source) <= columns
    assert source[caret.index("^") :].startswith("HERE")


def test_a_place_that_is_not_in_the_file_shows_no_line(file: str) -> None:
    for wrong in (finding(file, 99, 1, ""), finding("/no/such.yaml", 1, 1, "")):
        assert FORMATS["text"]([wrong], 1).count("\n") == 3


def test_text_counts_errors_and_warnings(file: str) -> None:
    warning = Diagnostic(file, 1, 1, "w", "m", severity="warning")
    assert FORMATS["text"]([finding(file, 1, 1), finding(file, 2, 1), warning], 1).endswith(
        "2 errors and 1 warning in 1 file\n"
    )
    assert FORMATS["text"]([], 3) == "3 files checked, nothing wrong\n"


def test_json_has_the_documented_shape(file: str) -> None:
    assert json.loads(FORMATS["json"]([finding(file, 3, 12)], 12)) == {
        "files": 12,
        "diagnostics": [
            {
                "file": file,
                "line": 3,
                "column": 12,
                "code": "unknown-key",
                "severity": "error",
                "message": "this has no key 'a'",
                "hint": "did you mean 'b'?",
            }
        ],
    }


def test_github_gets_one_line_for_each_finding_with_its_special_characters_escaped() -> None:
    odd = Diagnostic("a,b:c.yaml", 3, 4, "code", "100%\nof it", "two\r\nlines", "warning")
    assert FORMATS["github"]([odd], 1) == (
        "::warning file=a%2Cb%3Ac.yaml,line=3,col=4,title=code::100%25%0Aof it%0Atwo%0D%0Alines\n"
    )


def test_sarif_names_rules_levels_and_places(tmp_path: Path) -> None:
    relative = finding("environments/a b.yaml", 3, 12)
    absolute = finding(str(tmp_path / "x.yaml"), 1, 1)
    log = json.loads(FORMATS["sarif"]([relative, absolute], 2))
    (run,) = log["runs"]
    assert (log["version"], run["tool"]["driver"]["name"]) == ("2.1.0", "envspec")
    assert run["tool"]["driver"]["rules"] == [{"id": "unknown-key"}]
    places = [result["locations"][0]["physicalLocation"] for result in run["results"]]
    assert places[0]["artifactLocation"]["uri"] == "environments/a%20b.yaml"
    assert places[0]["region"] == {"startLine": 3, "startColumn": 12}
    assert places[1]["artifactLocation"]["uri"] == (tmp_path / "x.yaml").as_uri()


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_ends_with_one_line_break(name: str, file: str) -> None:
    text = FORMATS[name]([finding(file, 1, 1)], 1)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
