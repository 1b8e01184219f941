"""`envspec schema`: what editors and other programs need to know of the file format."""

from __future__ import annotations

import json
from pathlib import Path

import click

from envspec.cli import terminal
from envspec.errors import UsageError
from envspec.report.text import line

FOLDER = Path("schemas")


@click.command
@click.option(
    "--check", "verify", is_flag=True, help="Write nothing; exit with 2 where a file is missing or out of date."
)
def schema(*, verify: bool) -> int:
    """Write the JSON Schemas, or verify them.

    They are files of the folder schemas/: environment.schema.json for environments, entry.schema.json for entries
    that `use: ./path.yaml` names. In envspec's own repository the tables of docs/spec.md are written as well.
    """
    from envspec.spec.json_schema import SCHEMAS
    from envspec.spec.reference import PAGE, is_reference, rewritten

    texts = {FOLDER / name: json.dumps(make(), indent=2, ensure_ascii=False) + "\n" for name, make in SCHEMAS.items()}
    if is_reference(PAGE):
        texts[PAGE] = rewritten(PAGE.read_text("utf-8"))
    stale = [path for path, text in texts.items() if not path.is_file() or path.read_text("utf-8") != text]
    if verify and stale:
        message = f"out of date: {', '.join(map(str, stale))}"
        raise UsageError(message, hint="envspec schema writes them anew")
    FOLDER.mkdir(exist_ok=True)
    for path in stale:
        path.write_text(texts[path], "utf-8")
        terminal.show([line(("wrote ", "green"), str(path))])
    return 0
