"""Code blocks of a Markdown page, with the remarks that stand above them as HTML comments.

`<!-- file: PATH -->` saves the block, `<!-- exits: N -->` expects that exit code, `<!-- output: … -->` compares it with
what the block before it printed, `<!-- not run: WHY -->` does nothing.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

BLOCK = re.compile(
    r"^ *(?:<!-- (?P<key>file|exits|output|not run): (?P<value>.+?) -->\n *)?"
    r"```(?P<language>\w+)\n(?P<text>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """One fenced block: `line` is where its fence stands; what follows `text` is its remark."""

    page: str
    line: int
    language: str
    text: str
    file: str = ""
    exits: int = 0
    printed: bool = False
    skipped: str = ""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: Path, root: Path) -> list[Block]:
    text = page.read_text()
    return [_block(found, text, str(page.relative_to(root))) for found in BLOCK.finditer(text)]


def _block(found: re.Match[str], text: str, page: str) -> Block:
    remark = {found["key"]: found["value"]}
    return Block(
        page=page,
        line=text.count("\n", 0, found.start("language")) + 1,
        language=found["language"],
        text=textwrap.dedent(found["text"]),
        file=remark.get("file", ""),
        exits=int(remark.get("exits", 0)),
        printed="output" in remark,
        skipped=remark.get("not run", ""),
    )
