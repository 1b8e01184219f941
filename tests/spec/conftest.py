"""Environment files from text, loaded as a user's would be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from envspec.errors import SpecError
from envspec.spec.environment import Environment
from envspec.spec.load import load


@pytest.fixture
def load_text(tmp_path: Path) -> Callable[..., Environment]:
    """Write the text as `env.yaml`, other texts as files beside it, and load it."""

    def loaded(
        text: str,
        *,
        sets: Mapping[str, str] | None = None,
        environ: Mapping[str, str] | None = None,
        files: Mapping[str, str] | None = None,
    ) -> Environment:
        for name, content in {**(files or {}), "env.yaml": text}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(content), "utf-8")
        return load(tmp_path / "env.yaml", sets=sets, environ=environ or {})

    return loaded


@pytest.fixture
def refused(load_text: Callable[..., Environment]) -> Callable[..., list[str]]:
    """Expect that a text is refused, and return `line:column code: message` of each finding."""

    def findings(text: str, *, sets: Mapping[str, str] | None = None) -> list[str]:
        with pytest.raises(SpecError) as caught:
            load_text(text, sets=sets)
        return [f"{d.line}:{d.column} {d.code}: {d.message}" for d in caught.value.diagnostics]

    return findings
