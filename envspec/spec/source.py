"""Reading a file, or a text, as a tree with positions.

Values are read by YAML 1.2 core; duplicate keys, foreign tags, several documents, and aliases or nesting that would
explode are refused, each with its place.
"""

from __future__ import annotations

import codecs
import re
from pathlib import Path

import yaml

from envspec.errors import Diagnostic, SpecError
from envspec.spec.composer import Composer, line_and_column, templates_within
from envspec.spec.core_schema import core_value
from envspec.spec.diagnostics import at
from envspec.spec.nodes import ListNode, MapNode, Mark, Node, Scalar
from envspec.spec.reading import read_bytes
from envspec.spec.syntax_errors import Problem, bare_template, explain, legible
from envspec.spec.unquoted import Mended, unquoted_template

__all__ = ["core_value", "parse", "read"]

MAX_BYTES = 4 * 2**20
"""A file beyond this is not an environment; the bound also ends a read of /dev/zero."""

MOST_READINGS = 100
"""So often a file is read anew, each time with one more template, or several, that was not quoted."""

# What YAML forbids in a stream, and the surrogates that an undecodable command line leaves in text.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")


def read(file: Path, beside: list[Diagnostic] | None = None) -> MapNode:
    """Read a file whose top level is a mapping. `beside` takes the mistakes that leave a tree to judge.

    Raises:
        SpecError: it cannot be read or is not such a file; holds everything that is wrong with it.
    """
    node = parse(_text_of(file), str(file), beside)
    if isinstance(node, MapNode):
        return node
    if isinstance(node, Scalar) and node.value is None:
        message, hint = "the file is empty", "it begins with `version: 1`"
    else:
        what = "a list" if isinstance(node, ListNode) else "text"
        message, hint = f"the top level is {what}, and must be a mapping", "it begins with `version: 1`"
    raise SpecError([at(node.mark, "not-a-mapping", message, hint)])


def parse(text: str, file: str, beside: list[Diagnostic] | None = None) -> Node:
    """Read one YAML document; `file` is the name that positions bear. An empty text is null.

    `beside` takes mistakes that leave a tree to judge, such as a key written twice; without it they are raised, too.

    Raises:
        SpecError: holds everything that is wrong up to the first syntax error.
    """
    # Looked for here, since libyaml says of such a character neither line nor column.
    found = [_unprintable(text, file, match) for match in _UNPRINTABLE.finditer(text)]
    if found:
        raise SpecError(found)
    node, found = _composed(text, file)
    if node is None or (found and beside is None):
        raise SpecError(list(dict.fromkeys(found)))
    if beside is not None:
        beside.extend(found)
    return node


def _composed(text: str, file: str) -> tuple[Node | None, list[Diagnostic]]:
    """Return the tree and what is wrong with it; None where a mistake stops the reading.

    A template that nobody quoted is read as if it were: the text is read again with a word in its place.
    """
    mended, bare, readings = Mended(text), list[Diagnostic](), 0
    while True:
        composer, readings = Composer(mended, file), readings + 1
        node, again = _attempt(composer, mended.text, file)
        bare += [unquoted_template(mended.text, index, file) for index in again]
        if readings == MOST_READINGS or not [*filter(mended.mend, again)]:
            break
    told = {(found.line, found.column) for found in composer.found}
    # Behind a bracket that is never closed, what stands unquoted may be as it should.
    stop = next((found.line for found in composer.found if found.code == "syntax"), text.count("\n") + 1)
    bare = [found for found in bare if found.line <= stop]
    found = [*(d for d in bare if (d.line, d.column) not in told), *composer.found]
    return (None if again else node), sorted(found, key=lambda d: (d.line, d.column))


def _attempt(composer: Composer, text: str, file: str) -> tuple[Node | None, list[int]]:
    """Return the tree, or None where there is none, and where to mend the text before it is read again."""
    try:
        return composer.document(), composer.bare
    except SpecError:  # it is in `found`
        return None, composer.bare
    except yaml.MarkedYAMLError as error:
        problem = Problem.of(error)
        index = bare_template(problem, text)
        bare = [index] if index is not None else list(templates_within(legible(problem, text)))
        if bare:
            return None, sorted({*composer.bare, *bare})
        composer.found.append(explain(problem, text, file))
        return None, composer.bare


def _text_of(file: Path) -> str:
    start = Mark(str(file), 1, 1)
    try:
        data = read_bytes(file, MAX_BYTES + 1)
    except IsADirectoryError:
        raise SpecError([at(start, "unreadable", "this is a directory, not a file")]) from None
    except FileNotFoundError:
        raise SpecError([at(start, "unreadable", "there is no such file")]) from None
    except OSError as error:
        message = f"the file cannot be read: {error.strerror or error}"
        raise SpecError([at(start, "unreadable", message)]) from error
    # Reading stopped one byte later, whatever size the file claims to have.
    if len(data) > MAX_BYTES:
        raise SpecError([at(start, "too-large", f"the file is larger than {MAX_BYTES // 2**20} MiB")])
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise SpecError([at(start, "encoding", "the file is not UTF-8, but UTF-16", "save it as UTF-8")])
    # YAML allows it, and editors show no column for it: https://yaml.org/spec/1.2.2/#52-character-encodings
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line, column = line_and_column(data[: error.start].decode(), error.start)
        message = f"the file is not UTF-8: byte 0x{data[error.start]:02x}"
        raise SpecError([at(Mark(str(file), line, column), "encoding", message, "save it as UTF-8")]) from None


def _unprintable(text: str, file: str, match: re.Match[str]) -> Diagnostic:
    mark = Mark(file, *line_and_column(text, match.start()))
    message = f"the character U+{ord(match[0]):04X} cannot stand in a YAML file"
    return at(mark, "syntax", message, 'write it as an escape in double quotes, such as "\\u001b"')
