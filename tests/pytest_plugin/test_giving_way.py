"""A project that has options with our names has them to itself: installed for another, envspec is not in its way."""

from __future__ import annotations

import re

import pytest

OWN = """
import pytest

def pytest_addoption(parser):
    parser.addoption("--env", default="dev", choices=("dev", "staging"))

@pytest.fixture
def stage(request):
    assert request.config.option.env == request.config.getoption("--env") == request.config.getoption("env")
    return request.config.getoption("--env")
"""
TELLS = "def test_x(stage): print('the stage is', stage)"


@pytest.mark.parametrize(
    ("options", "stage"),
    [
        ((), "dev"),
        (("--env=staging",), "staging"),
        (("--env", "staging"), "staging"),
        (("--env=staging", "-n1"), "staging"),
    ],
    ids=["default", "given", "apart", "xdist"],
)
def test_an_option_of_the_projects_own_is_the_projects(
    pytester: pytest.Pytester, options: tuple[str, ...], stage: str
) -> None:
    pytester.makeconftest(OWN)
    pytester.makepyfile(TELLS)

    result = pytester.runpytest_subprocess("-rP", *options)

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines([f"the stage is {stage}"])


def test_the_projects_parser_refuses_what_its_option_does_not_know(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(OWN)

    result = pytester.runpytest_subprocess("--env=local")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*argument --env: invalid choice: 'local'*"])


def test_who_looks_closer_is_told_that_envspec_is_not_in_use(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(OWN)
    pytester.makepyfile("def test_x(environment): pass\ndef test_y(model_loader): pass")

    result = pytester.runpytest_subprocess("-v")

    result.assert_outcomes(errors=2)
    words = "envspec: not in use, since this project declares --env itself"
    assert result.outlines.count(words) == 3, "in the header, and for each test that asks for what there is not"


def test_options_of_another_name_stand_beside_ours(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(re.sub(r"(--|option\.|\(\")env\b", r"\1stage", OWN))
    pytester.mkdir("environments").joinpath("pair.yaml").write_text(
        'version: 1\nservices: {worker: {command: [sleep, "600"]}}\n'
    )
    pytester.makepyfile(f"{TELLS}\ndef test_y(environment): print('the environment is', environment.name)")

    result = pytester.runpytest_subprocess("-rP", "--env", "pair", "--stage", "staging")

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["the stage is staging", "the environment is pair"])
    shown = pytester.runpytest_subprocess("--help")
    shown.stdout.fnmatch_lines(["test environments:", "*--env=NAME*", "Custom options:", "*--stage*"])
