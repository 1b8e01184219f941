"""The tree drawn in the docstring of errors.py is the tree of its classes."""

from __future__ import annotations

import inspect
import re

import envspec.errors
from envspec.errors import EnvspecError

LINE = re.compile(r"^(?P<indent>[│├└─\s]*)(?P<name>[A-Z]\w+)(?:\s+(?P<code>\d+))?(?=\s|$)")


def drawn() -> dict[str, tuple[str, int | None]]:
    """Return what the docstring draws: name → (name of its parent, exit code where one stands)."""
    tree: dict[str, tuple[str, int | None]] = {}
    path: list[str] = []
    for line in (envspec.errors.__doc__ or "").splitlines():
        found = LINE.match(line)
        if found and found["name"].endswith("Error"):
            path[len(found["indent"]) // 3 :] = [found["name"]]
            tree[found["name"]] = (
                path[-2] if len(path) > 1 else "Exception",
                int(found["code"]) if found["code"] else None,
            )
    return tree


def classes() -> dict[str, type[EnvspecError]]:
    members = inspect.getmembers(envspec.errors, inspect.isclass)
    return {name: member for name, member in members if issubclass(member, EnvspecError)}


def test_every_class_is_drawn_under_its_parent() -> None:
    assert {name: parent for name, (parent, _) in drawn().items()} == {
        name: member.__bases__[0].__name__ for name, member in classes().items()
    }


def test_the_exit_codes_drawn_are_the_exit_codes() -> None:
    codes = {name: code for name, (_, code) in drawn().items() if code is not None}
    assert codes == {name: classes()[name].exit_code for name in codes}
    assert set(codes.values()) == {2, 3, 4, 5, 130}


def test_every_class_inherits_the_code_of_its_branch() -> None:
    tree = drawn()
    for name, (parent, code) in tree.items():
        if code is None and parent != "Exception":
            assert classes()[name].exit_code == classes()[parent].exit_code
