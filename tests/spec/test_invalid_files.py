"""Every file of tests/spec/invalid is refused with exactly the text beside it: one mistake, one clear message.

Adding a case is dropping `NAME.yaml` and `NAME.expected.txt` there. Files in its folders are what cases refer to.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from envspec.resolve import check
from envspec.spec.catalog import SHIPPED
from envspec.spec.check_formats import as_text

FOLDER = Path(__file__).parent / "invalid"
CASES = sorted(path.name for path in FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("name", CASES)
def test_each_mistake_is_told_with_its_place_and_a_hint(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    text = as_text(check(Path(name), environ={"PATH": "/bin"}), 1)
    text = text.replace(f"{FOLDER}/", "").replace(f"{SHIPPED}/", "catalog/")
    assert text == Path(name).with_suffix(".expected.txt").read_text("utf-8")


def test_each_text_has_its_file() -> None:
    assert {path.stem for path in FOLDER.glob("*.expected.txt")} == {Path(name).stem + ".expected" for name in CASES}


def test_each_mistake_has_a_place_within_its_file() -> None:
    for name in CASES:
        for found in check(FOLDER / name, environ={}):
            lines = Path(found.file).read_text("utf-8").split("\n")
            assert 1 <= found.line <= len(lines)
            assert 1 <= found.column <= len(lines[found.line - 1]) + 1
