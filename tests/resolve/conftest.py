"""Plans from text: loaded, resolved with stand-in ports that begin at 20000."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from envspec.errors import SpecError
from envspec.plan.plan import Plan
from envspec.resolve import resolve, stand_in
from envspec.spec.load import load


@pytest.fixture
def plan_text(tmp_path: Path) -> Callable[..., Plan]:
    """Write the text as `env.yaml`, other texts as files beside it, and resolve it."""

    def planned(
        text: str,
        *,
        sets: Mapping[str, str] | None = None,
        environ: Mapping[str, str] | None = None,
        files: Mapping[str, str] | None = None,
    ) -> Plan:
        for name, content in {**(files or {}), "env.yaml": text}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(content), "utf-8")
        environment = load(tmp_path / "env.yaml", sets=sets, environ=environ or {})
        return resolve(environment, stand_in(environment), environ or {})

    return planned


@pytest.fixture
def refused(plan_text: Callable[..., Plan]) -> Callable[..., list[str]]:
    """Expect that a text is refused, and return `line:column code: message` of each finding."""

    def findings(text: str, *, files: Mapping[str, str] | None = None) -> list[str]:
        with pytest.raises(SpecError) as caught:
            plan_text(text, files=files)
        return [f"{d.line}:{d.column} {d.code}: {d.message}" for d in caught.value.diagnostics]

    return findings
