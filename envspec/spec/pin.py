"""Writing commits into a file without touching anything else of it: comments, layout, quotes and line ends stay.

A new `revision:` stands right behind `repo:`: on a line of its own where the mapping is one of lines, behind a comma
where it is in braces, in quotes where its neighbour's key is. What comes out is read again, and must say what the file
said before but for the revisions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from envspec.errors import Diagnostic, SpecError
from envspec.models.hub.options import COMMIT
from envspec.record import Record
from envspec.spec.core_schema import core_value
from envspec.spec.diagnostics import at
from envspec.spec.environment import Environment, Model
from envspec.spec.nodes import ListNode, Mark, Node, Scalar
from envspec.spec.pin_places import Pair, pairs_by_key
from envspec.spec.source import parse
from envspec.spec.template import has_template

BYTE_ORDER_MARK = "\ufeff"
_LINE_END = re.compile(r"\r\n|\r|\n")
_REST_OF_LINE = re.compile(r"(?:[ \t]+#[^\r\n]*|[ \t]*)(?=[\r\n]|\Z)")


class Pin(Record):
    """The commit that a model is pinned to, and where its keys `repo` and, where it is written, `revision` stand."""

    model: str
    repo: Mark
    revision: Mark | None
    commit: str


class Edit(Record):
    """A stretch of a text, and what is to stand there."""

    begin: int
    end: int
    text: str


def unpinned(environment: Environment) -> list[Model]:
    """Return the models of the hub whose revision is no commit, and may so mean something else tomorrow."""
    return [model for model in environment.models.values() if model.repo and not COMMIT.fullmatch(model.revision)]


def pin_of(model: Model, commit: str) -> Pin:
    """Return where the commit of a model goes.

    Raises:
        SpecError: it goes nowhere, since a template says which repository or revision it is.
    """
    repo, revision = model.tree.key("repo"), model.tree.key("revision")
    for key in (repo, revision):
        value = model.tree.get(key.text) if key is not None else None
        if key is not None and isinstance(value, Scalar) and has_template(value):
            message = f"'{key.text}' of the model '{model.name}' is computed, so that no commit can be written here"
            raise SpecError([at(value.mark, "computed", message, "write the commit where the value comes from")])
    if repo is None:
        message = f"{model.name} has a repository that is not written"
        raise AssertionError(message)
    return Pin(model.name, repo.mark, revision.mark if revision is not None else None, commit)


def pins_of(models: Iterable[Model], commits: Mapping[str, str]) -> list[Pin]:
    """Return where the commits of models go, each by its model's name.

    Raises:
        SpecError: some go nowhere; names all of them.
    """
    pins: list[Pin] = []
    found: list[Diagnostic] = []
    for model in models:
        try:
            pins.append(pin_of(model, commits.get(model.name, "")))
        except SpecError as error:
            found += error.diagnostics
    if found:
        raise SpecError(found)
    return pins


def pinned(text: str, file: str, pins: Iterable[Pin]) -> str:
    """Return the text of a file with commits written into it.

    Raises:
        SpecError: that cannot be done without changing more than the models' revisions; names every model.
    """
    wanted = {(pin.revision or pin.repo): pin for pin in pins}
    if not wanted:
        return text
    if text.startswith(BYTE_ORDER_MARK):  # no mark counts it
        return BYTE_ORDER_MARK + pinned(text.removeprefix(BYTE_ORDER_MARK), file, wanted.values())
    pairs = pairs_by_key(text, file)
    if (result := _edited(text, pairs, wanted)) is not None:
        return result
    # Each alone, as one that cannot be written spoils the text for all.
    guilty = [pin for mark, pin in wanted.items() if _edited(text, pairs, {mark: pin}) is None]
    raise SpecError([_refusal(pin) for pin in guilty or wanted.values()])


def _edited(text: str, pairs: Mapping[Mark, Pair], wanted: Mapping[Mark, Pin]) -> str | None:
    """Return the text with commits, or None where more than that would change."""
    edits = [_edit(text, pairs, pin) for pin in wanted.values()]
    result = text
    for edit in sorted({edit for edit in edits if edit}, key=lambda edit: edit.begin, reverse=True):
        result = result[: edit.begin] + edit.text + result[edit.end :]
    is_well = all(edits) and _is_as_meant(text, result, {mark: pin.commit for mark, pin in wanted.items()})
    return result if is_well else None


def _refusal(pin: Pin) -> Diagnostic:
    message = f"the commit of the model '{pin.model}' cannot be written here without changing more than that"
    return at(pin.revision or pin.repo, "not-pinned", message, f"write it yourself: revision: {pin.commit}")


def _is_as_meant(before: str, after: str, commits: Mapping[Mark, str]) -> bool:
    try:
        return bool(_says(parse(after, ""), {}) == _says(parse(before, next(iter(commits)).file), commits))
    except SpecError:
        return False


def _says(node: Node, commits: Mapping[Mark, str]) -> Any:
    """Return the plain data of a tree, with the commits as revisions where their models stand."""
    if isinstance(node, ListNode):
        return [_says(item, commits) for item in node.items]
    if isinstance(node, Scalar):
        return node.value
    data = {key.text: _says(value, commits) for key, value in node.items}
    key = node.key("revision") or node.key("repo")
    return {**data, "revision": commits[key.mark]} if key is not None and key.mark in commits else data


def _edit(text: str, pairs: Mapping[Mark, Pair], pin: Pin) -> Edit | None:
    """Return how a commit is written, None where that cannot be done."""
    pair = pairs.get(pin.revision or pin.repo)
    if pair is None or (pin.revision is not None and pair.is_shared):
        return None
    if pin.revision is not None:
        return _replacement(text, pair, pin.commit)
    return _in_braces(text, pair, pin.commit) if pair.in_braces else _on_a_line(text, pair, pin)


def _replacement(text: str, pair: Pair, commit: str) -> Edit:
    written = pair.value.of(text)
    if not written:  # `revision:`, or in braces even `revision`
        before = text[: pair.value.begin]
        missing = "" if before[-1].isspace() else " " if before.endswith(":") else ": "
        return Edit(pair.value.begin, pair.value.end, missing + _scalar(commit))
    quote = written[0] if written[0] in "\"'" else ""
    return Edit(pair.value.begin, pair.value.end, _scalar(commit, quote))


def _on_a_line(text: str, pair: Pair, pin: Pin) -> Edit | None:
    rest = _REST_OF_LINE.match(text, pair.value.end)
    if rest is None:
        return None
    line_end = _LINE_END.match(text, rest.end()) or _LINE_END.search(text)
    indent = (line_end[0] if line_end else "\n") + " " * _column(text, pair)
    return Edit(rest.end(), rest.end(), indent + _entry(text, pair, pin.commit))


def _in_braces(text: str, pair: Pair, commit: str) -> Edit:
    indent = text[pair.key.begin - _column(text, pair) : pair.key.begin]
    entry, end = _entry(text, pair, commit), pair.value.end
    rest = _REST_OF_LINE.match(text, end + 1) if text.startswith(",", end) else None
    if indent.isspace() and rest is not None and (line_end := _LINE_END.match(text, rest.end())):
        return Edit(rest.end(), rest.end(), f"{line_end[0]}{indent}{entry},")
    return Edit(end, end, f", {entry}")


def _column(text: str, pair: Pair) -> int:
    """Return how far from the begin of its line the key stands."""
    return pair.key.begin - max(text.rfind("\n", 0, pair.key.begin), text.rfind("\r", 0, pair.key.begin)) - 1


def _entry(text: str, pair: Pair, commit: str) -> str:
    """Return key and commit, written as the key `repo` is."""
    key = pair.key.of(text)
    quote = key[0] if key[0] in "\"'" else ""
    is_tight = quote and text[pair.key.end : pair.value.begin] == ":"
    return f"{quote}revision{quote}:{'' if is_tight else ' '}{_scalar(commit, quote)}"


def _scalar(commit: str, quote: str = "") -> str:
    if not quote and not isinstance(core_value(commit), str):
        quote = '"'  # forty digits without a letter, or with an `e` among them, are a number to YAML
    return f"{quote}{commit}{quote}"
