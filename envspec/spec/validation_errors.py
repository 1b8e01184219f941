"""What pydantic found wrong, said in the words of the file: where it stands, what is wanted, what is there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from pydantic import ValidationError

from envspec.errors import Diagnostic
from envspec.health import ACTIONS, VALIDATORS
from envspec.models.synthetic.options import MisfitError
from envspec.record import Record
from envspec.spec.corrections import correction
from envspec.spec.diagnostics import at, suggest
from envspec.spec.fault_spec import ACTIONS as FAULTS
from envspec.spec.fault_spec import FaultSpec
from envspec.spec.known_keys import keys_at
from envspec.spec.nodes import ListNode, MapNode, Node, Scalar, plain_data, with_value
from envspec.spec.template import has_template
from envspec.spec.template_values import kind

WANTED = {
    "string_type": "text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dataclass_type": "a mapping",
    "none_required": "null",
}
_BOUNDS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("more than", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"),
    "too_short": ("a list of at least", "min_length"),
    "too_long": ("a list of at most", "max_length"),
}
_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")
_ABSENT = ("missing", "missing_argument", "missing_keyword_only_argument")
_NAMED = {"ports": "port", "ranges": "port range"}
"""What the names in a mapping are called."""
_KINDS_OF_ITEMS = {frozenset(VALIDATORS): "validator", frozenset(ACTIONS): "action"}
_CHOICES = {frozenset(keys_at(FaultSpec, ())): f"what can be done: {', '.join(FAULTS)}"}
"""What to say of a key that resembles none, of mappings with more keys than are listed."""
_SHOWN = 40
"""So much of a wrong text is repeated in the message; the rest stands in the source line below it."""


def diagnostics_of(error: ValidationError, root: Node, model: Any) -> list[Diagnostic]:
    """Return what pydantic found wrong with `root` as a `model`, in the words of the file and with its positions.

    One finding for each mistake; a scalar whose template failed has been told, and is left out.
    """
    # Of sizes that do not fit one another each is told where it stands (envspec.spec.model_source).
    items = [item for item in error.errors(include_url=False) if not _is_misfit(item)]
    mistakes = [_Mistake.of(item, root) for item in items]
    # An unknown key is wrong whatever its value would have said.
    open_ones = [m for m in mistakes if m.type in _UNKNOWN or not has_template(m.node)]
    found = {_say(mistake, root, model) for mistake in _without_union_noise(open_ones)}
    return sorted(found, key=lambda diagnostic: (diagnostic.line, diagnostic.column, diagnostic.message))


def _is_misfit(item: Mapping[str, Any]) -> bool:
    return isinstance(item.get("ctx", {}).get("error"), MisfitError)


class _Mistake(Record):
    """One error of pydantic: its place in the tree, and which member of a union complained (`branch`) at `fork`."""

    type: str
    message: str
    context: Mapping[str, Any]
    path: tuple[str | int, ...]
    name: str
    node: Node
    key: Scalar | None
    fork: tuple[str | int, ...] | None
    branch: str
    wanted: tuple[str, ...]

    @classmethod
    def of(cls, item: Mapping[str, Any], root: Node) -> _Mistake:
        """Follow pydantic's `loc` through the tree; steps that are not in it name members of unions."""
        node: Node = root
        key: Scalar | None = None
        fork: tuple[str | int, ...] | None = None
        path: list[str | int] = []
        branch, loc = "", list(item["loc"])
        name = str(loc.pop()) if item["type"] in _ABSENT else ""
        for step in loc:
            if isinstance(node, MapNode) and (below := node.get(str(step))) is not None:
                key = node.key(str(step))
                node = below
                path.append(step)
            elif isinstance(node, ListNode) and isinstance(step, int) and step < len(node.items):
                node = node.items[step]
                path.append(step)
            elif fork is None and step != "[key]":
                fork, branch = tuple(path), str(step)
        if item["type"] == "value_error" and loc[-1:] == ["[key]"] and key is not None:
            node = key  # what is wrong is the key itself
            path.pop()
        wanted: tuple[str, ...] = (WANTED[item["type"]],) if item["type"] in WANTED else ()
        context = item.get("ctx", {})
        if item["type"] == "literal_error" and fork is not None and not isinstance(node, Scalar):
            wanted = tuple(_options(context))  # a word was not even meant
        return cls(item["type"], item["msg"], context, tuple(path), name, node, key, fork, branch, wanted)


def _without_union_noise(mistakes: list[_Mistake]) -> Iterator[_Mistake]:
    """Yield mistakes, those of one union reduced to the member that was meant, or to what all its members want."""
    # Pydantic reports the members of one union one after the other.
    forks = groupby(mistakes, lambda mistake: mistake.fork)
    for fork, group in forks:
        yield from group if fork is None else _meant(list(group), fork)


def _meant(group: list[_Mistake], fork: tuple[str | int, ...]) -> Iterable[_Mistake]:
    """A member that complains only about what is inside the value has the value's own shape: that one was meant."""
    branches = [[m for m in group if m.branch == branch] for branch in dict.fromkeys(m.branch for m in group)]
    fitting = [branch for branch in branches if all(not m.wanted or len(m.path) > len(fork) for m in branch)]
    if fitting:
        return min(fitting, key=len)
    first = group[0]
    wanted = tuple(dict.fromkeys(want for mistake in group for want in mistake.wanted))
    return [_Mistake(first.type, first.message, first.context, fork, "", first.node, first.key, fork, "", wanted)]


def _say(mistake: _Mistake, root: Node, model: Any) -> Diagnostic:
    value, key = mistake.node, mistake.key
    if mistake.type in _ABSENT:
        mark = key.mark if key is not None and mistake.path[-1:] == (key.text,) else value.mark
        return at(mark, "missing-key", f"{_subject(mistake.path)} needs the key '{mistake.name}'")
    if mistake.type in _UNKNOWN and key is not None:
        keys = keys_at(model, mistake.path[:-1])
        if what := _KINDS_OF_ITEMS.get(frozenset(keys)):
            return at(key.mark, "unknown-key", f"'{key.text}' is no {what}", suggest(key.text, keys))
        hint = suggest(key.text, keys) or _CHOICES.get(frozenset(keys), "")
        return at(key.mark, "unknown-key", f"{_subject(mistake.path[:-1])} has no key '{key.text}'", hint)
    if mistake.type == "string_pattern_mismatch" and key is not None and key.text == mistake.path[-1]:
        return _bad_name(key, mistake)
    if mistake.wanted:
        return at(value.mark, "wrong-type", _of_wrong_type(mistake), _type_hint(mistake, root, model))
    return at(value.mark, "wrong-value", *_sentence(mistake))


def _bad_name(key: Scalar, mistake: _Mistake) -> Diagnostic:
    from envspec.spec.base import NAME_PATTERN, name_error

    what = _NAMED.get(str((mistake.path[-2:-1] or ("",))[0]), "key")
    if mistake.context.get("pattern") == NAME_PATTERN and name_error(what, key.text):
        return at(key.mark, "bad-name", name_error(what, key.text))
    return at(mistake.node.mark, "wrong-value", f"{_subject(mistake.path)} is not well formed", _pattern_hint(mistake))


def _pattern_hint(mistake: _Mistake) -> str:
    return f"it must match the pattern {mistake.context.get('pattern')}"


def _of_wrong_type(mistake: _Mistake) -> str:
    found = _shown(mistake.node)
    there = f"{kind(mistake.node.value)} ({found})" if isinstance(mistake.node, Scalar) else found
    there = "null" if there.startswith("null") else there
    return f"{_subject(mistake.path)} must be {_either(mistake.wanted)}, not {there}"


def _type_hint(mistake: _Mistake, root: Node, model: Any) -> str:
    """Say how to write what was probably meant, where nothing would be wrong with that."""
    meant = correction(mistake.node, mistake.wanted, mistake.path) if isinstance(mistake.node, Scalar) else None
    return meant.hint if meant is not None and _is_taken(mistake.path, meant.value, root, model) else ""


def _is_taken(path: tuple[str | int, ...], value: Any, root: Node, model: Any) -> bool:
    """Say whether nothing would be wrong at `path` of `root` any more with this value there."""
    mended = with_value(root, path, value)
    try:
        model.model_validate(plain_data(mended))
    except ValidationError as error:
        mistakes = (_Mistake.of(item, mended) for item in error.errors(include_url=False))
        return all(mistake.path[: len(path)] != path for mistake in mistakes)
    return True


def _sentence(mistake: _Mistake) -> tuple[str, str]:
    subject, found = _subject(mistake.path), _shown(mistake.node)
    if mistake.type == "literal_error":
        options = _options(mistake.context)
        if found in options:  # text where a number is wanted, which reads the same without its quotes
            return f"{subject} must be the number {found}, not text", f"write {found} without quotes"
        nearest = suggest(found, options)
        return f"{subject} must be {_either(options)}, not {found}", nearest if nearest.startswith("did") else ""
    if mistake.type in _BOUNDS:
        words, figure = _BOUNDS[mistake.type]
        return f"{subject} must be {words} {mistake.context[figure]}, not {found}", ""
    if mistake.type == "string_pattern_mismatch":
        return f"{subject} is not well formed: {found}", _pattern_hint(mistake)
    said = mistake.message.removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return (f"{subject}: {said}" if mistake.path else said), getattr(mistake.context.get("error"), "hint", "")


def _options(context: Mapping[str, Any]) -> list[str]:
    """Return the words that a literal allows; pydantic gives them as text only: "'a', 'b' or 'c'"."""
    return re.findall(r"'([^']*)'", context["expected"]) or [context["expected"]]


def _subject(path: tuple[str | int, ...]) -> str:
    """Name the value at `path` as the reader sees it."""
    if not path:
        return "this"
    last = path[-1]
    if isinstance(last, str):
        return f"'{last}'"
    owner = next((step for step in reversed(path) if isinstance(step, str)), "")
    return f"item {last + 1} of '{owner}'" if owner else f"item {last + 1}"


def _shown(node: Node) -> str:
    """Repeat what is written, or name what it is where that is long or cannot be shown."""
    if not isinstance(node, Scalar):
        return "a mapping" if isinstance(node, MapNode) else "a list"
    if node.value is None:
        return "null"
    if not node.text.isprintable():
        return kind(node.value)
    return node.text if len(node.text) <= _SHOWN else f"{node.text[:_SHOWN]}…"


def _either(options: Iterable[str]) -> str:
    *most, last = options
    return f"{', '.join(most)} or {last}" if most else last
