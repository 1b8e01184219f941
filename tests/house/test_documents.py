"""What the documents show is true: their code runs, their environments are good, their links lead somewhere.

The blocks of a page are run in their order and in one folder, as by somebody who follows it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.house.blocks import Block, blocks

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
DOCS = ROOT / "docs"
RUN = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(DOCS / f"{page}.md" for page in ("python", "pytest", "faults"))]
ALL = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\[[^\]]+\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")


def named(pages: list[Path]) -> list[object]:
    return [pytest.param(page, id=str(page.relative_to(ROOT))) for page in pages]


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


class Reader:
    """Somebody with envspec installed, an empty folder, and the page in front of them."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "work"
        self.folder.mkdir()
        self.seen = ""
        self.environ = {
            key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "ENVSPEC_VAR"))
        }
        self.environ |= {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "ENVSPEC_STATE_DIR": str(home / "state"),
            "ENVSPEC_CACHE_DIR": str(home / "cache"),
        }

    def follow(self, block: Block) -> None:
        if block.file:
            self._save(block)
        elif block.printed:
            assert block.text in self.seen, f"{block}: this is what is printed:\n{self.seen}"
        elif block.language == "bash":
            self._run(block)
        elif block.language == "python":
            self._expect(block, [sys.executable, "-c", block.text])
        elif block.language == "yaml":
            assert yaml.safe_load(block.text), block

    def _save(self, block: Block) -> None:
        path = self.folder / block.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text)
        if path.parent.name == "environments":
            self._expect(block, ["envspec", "check", block.file])

    def _run(self, block: Block) -> None:
        """Run the lines; `make` only says what it would do, since it would run these very tests."""
        targets = re.findall(r"^make (\w+)$", block.text, re.MULTILINE)
        if targets:
            planned = subprocess.run(["make", "-n", *targets], cwd=ROOT, capture_output=True, text=True, check=False)
            assert planned.returncode == 0, f"{block}: {planned.stderr}"
            assert block.text.split() == [word for target in targets for word in ("make", target)], block
        else:
            self._expect(block, ["bash", "-euo", "pipefail", "-c", block.text])

    def _expect(self, block: Block, argv: list[str]) -> None:
        result = subprocess.run(
            argv,
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=90,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        self.seen = result.stdout
        assert result.returncode == block.exits, f"{block}\n{block.text}\n{result.stdout}\n{result.stderr}"


@pytest.mark.parametrize("page", named(RUN))
def test_following_a_page_works(page: Path, reader: Reader) -> None:
    for block in blocks(page, ROOT):
        if not block.skipped:
            reader.follow(block)


def test_the_readme_begins_with_the_two_commands() -> None:
    first = blocks(ROOT / "README.md", ROOT)[0]
    assert (first.language, first.text.splitlines()) == ("bash", ["make up", "make test"])


def test_the_readme_says_what_its_tests_take_before_it_shows_them() -> None:
    before, used, after = (ROOT / "README.md").read_text().partition("environment.openai()")
    assert used
    assert "pip install 'envspec[dynamo,openai,pytest]'" in before
    assert "pip install pytest-xdist" in after
    assert [line for line in (before + after).splitlines() if re.fullmatch(r"pytest --env=\w+", line)] == []


@pytest.mark.parametrize("page", named(ALL))
def test_links_lead_somewhere(page: Path) -> None:
    targets = LINK.findall(page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", named(ALL))
def test_every_block_says_its_language(page: Path) -> None:
    fences = re.findall(r"^ *```(.*)$", page.read_text(), re.MULTILINE)
    assert [language for language in fences[::2] if not re.fullmatch(r"\w+", language)] == []
