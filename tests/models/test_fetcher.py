"""The fetcher process answers on stdout, whatever becomes of the model."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from envspec.models import SOURCES
from envspec.models.synthetic import Synthetic, cached_path, is_complete
from envspec.plan.codec import to_json
from envspec.plan.plan import ModelPlan


def plan(path: Path, **changes: Any) -> ModelPlan:
    options = changes.pop("options", {"architecture": "qwen3"})
    return ModelPlan(
        **{"name": "chat", "served_name": "chat", "source": "synthetic", "options": options, **changes}, path=str(path)
    )


def fetched(model: ModelPlan) -> dict[str, Any]:
    argv = [sys.executable, "-m", "envspec.models.fetcher"]
    done = subprocess.run(argv, input=json.dumps(to_json(model)), capture_output=True, text=True, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_a_model_is_made_once_and_then_found(tmp_path: Path) -> None:
    path = cached_path(Synthetic(architecture="qwen3"), tmp_path)
    assert fetched(plan(path)) == {"path": str(path), "cached": False}
    assert is_complete(path)
    assert fetched(plan(path)) == {"path": str(path), "cached": True}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": "torrent"}, "model chat: there is no source 'torrent'"),
        (
            {"options": {"architecture": "qwen3", "vocab_size": 5}},
            "model chat: vocab_size must be at least 2048, not 5",
        ),
        ({"options": {"colour": "blue"}}, "model chat: "),
    ],
)
def test_a_wrong_model_is_an_answer_and_not_a_crash(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    answer = fetched(plan(tmp_path / "model", **changes))
    assert answer["error"] == "ModelUnavailableError"
    assert answer["message"].startswith(message)


def test_an_unwritable_cache_is_an_answer_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    answer = fetched(plan(tmp_path / "cache" / "model"))
    assert answer["error"] == "ModelUnavailableError"
    assert str(tmp_path / "cache" / "model") in answer["message"]
    assert "ENVSPEC_CACHE_DIR" in answer["hint"]


def test_making_a_synthetic_model_needs_the_standard_library_only(tmp_path: Path) -> None:
    """In the process that does it, nothing is imported that envspec would have to bring along."""
    script = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from pathlib import Path
from envspec.models import SOURCES
source = SOURCES["synthetic"]
source.make(source.options(architecture="llama"), Path({str(tmp_path / "model")!r}))
"""
    subprocess.run([sys.executable, "-I", "-S", "-c", script], check=True)
    assert SOURCES["synthetic"].is_complete(tmp_path / "model")
