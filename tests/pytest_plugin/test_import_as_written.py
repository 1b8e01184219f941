"""Environments start in threads, while pytest may be parsing source to show a failure: nothing else may parse then."""

from __future__ import annotations

import pytest

from tests.pytest_plugin.shared_run import WEB

CONFTEST = """
import ast, sys
from pathlib import Path
from threading import current_thread, main_thread

def heard(event, arguments):
    if event == "compile" and current_thread() is not main_thread():
        source, name = arguments
        if isinstance(source, ast.AST) or name == "<unknown>":  # of what pytest has rewritten, and of ast.parse
            with open(Path(__file__).parent / "parsed", "a") as file:
                print(source, name, file=file)

sys.addaudithook(heard)
"""


@pytest.mark.parametrize("options", [(), ("-n1",)], ids=["alone", "xdist"])
def test_no_thread_parses_while_an_environment_starts(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(pytester.path / "cache"))  # nothing is known of the file yet
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")  # and pytest could keep no module that it rewrites
    pytester.mkdir("environments").joinpath("web.yaml").write_text(WEB)
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile("def test_it(environment): pass")

    result = pytester.runpytest_subprocess("--env=web", *options)

    result.assert_outcomes(passed=1)
    assert not (pytester.path / "parsed").exists()


def test_asserts_of_tests_are_rewritten_all_the_same(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it():\n    word = 'envspec'\n    assert word == 'another'")

    pytester.runpytest_subprocess().stdout.fnmatch_lines(["E*AssertionError: assert 'envspec' == 'another'"])
