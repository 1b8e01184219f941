"""What type checkers say of tests that use envspec."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TYPED = """
from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import openai
import pytest
import requests
from typing_extensions import assert_type

from envspec import Environment, ModelLoader, Service, find_free_port


@pytest.mark.environment("local")
def test_types(
    environment: Environment,
    service_ports: Mapping[str, int],
    service_urls: Mapping[str, str],
    model_loader: ModelLoader,
    model_cache_dir: Path,
) -> None:
    assert_type(environment.openai(), openai.OpenAI)
    assert_type(environment.openai("frontend.http").chat.completions, openai.resources.chat.Completions)
    assert_type(environment["frontend"], Service)
    assert_type(environment["frontend"].http(), requests.Session)
    assert_type(environment["frontend"].http().get("/health").status_code, int)
    assert_type(environment["frontend"].url(), str)
    assert_type(environment["worker"].replicas[0].pid, int | None)
    assert_type(environment.service_urls["frontend_http"], str)
    assert_type(service_ports["frontend_http"], int)
    assert_type(find_free_port(), int)
"""


SLIPS = """
    environment['frontend'].htpp()
    environment.openai(endpoint=3)
"""


def test_types_hold_in_a_test_file_of_a_user_and_find_its_slips(tmp_path: Path) -> None:
    """Both are read in one run, since most of it goes to openai.

    envspec is an installed package for it, as for the author of such a file, so that py.typed counts.
    """
    (tmp_path / "test_right.py").write_text(TYPED)
    (tmp_path / "test_wrong.py").write_text(TYPED + SLIPS)
    argv = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", os.devnull, "test_right.py", "test_wrong.py"]
    checked = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert checked.stdout.endswith("(checked 2 source files)\n"), checked.stdout + checked.stderr
    errors = [line for line in checked.stdout.splitlines() if ": error: " in line]
    assert len(errors) == 2, checked.stdout
    assert all(line.startswith("test_wrong.py") for line in errors)
    assert '"Service" has no attribute "htpp"' in errors[0]
    assert "[arg-type]" in errors[1]
