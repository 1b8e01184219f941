"""A synthetic model is the same bytes everywhere, and real libraries read it."""

from __future__ import annotations

import hashlib
import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from envspec.models.synthetic import Synthetic, cached_path, is_complete, make

# Whoever changes one of these changes the models in everybody's cache: raise FORMAT as well.
COMMON = {
    "generation_config.json": "248131838b4c9585b3120ed78540a0718467261c2ffda31eea4b5bce98e75cd3",
    "special_tokens_map.json": "903b2e6d39d7eebaf193b2051bcbd9fec59c43880be0bcf620dffb623d63ff45",
    "tokenizer.json": "2c18d7e517ca45921173abe2c2592e0e2258474d03afe1de49ccfeb6b3b8d972",
    "tokenizer_config.json": "a2ba3dbb57efd9beb59e05b004da4cc1be25b239906790fb1abf38337cd47363",
}
GOLDEN = {
    "qwen3": {
        "config.json": "3f7842e0b9776869a0ee936d2632a341b54e1334cf864d8c3141f0b22c97e5fe",
        "model.safetensors": "a4211570d9697a99cf1350067efb2ed2d09251ae1e7d70f3a451073d40b01e4e",
    },
    "llama": {
        "config.json": "ffe43998f93c95acb58194a384ee1127411be2b34dda65278c94c7fe91632cd8",
        "model.safetensors": "95ceb001d00ce286cb7ebbe84163ac441317603a32b92abdce2ee86f8fae69c6",
    },
    "qwen2": {
        "config.json": "5e558aa8a107a0e5c4ccc6a3db598021e8aadf066629545b2b0f2b4cea5028c0",
        "model.safetensors": "224ef3c6664a25f6b02c96a440a7e59e5daf7c33b392f162f29e601b8ab3b470",
    },
}
UNICODE = "Hello, Wörld!\r\n\t你好 🙂 é  \x00 the model answers w571 times "


@pytest.fixture(params=GOLDEN)
def architecture(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def model(architecture: Any, tmp_path: Path) -> Path:
    options = Synthetic(architecture=architecture)
    path = cached_path(options, tmp_path)
    make(options, path)
    return path


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def test_every_file_has_the_bytes_it_always_had(architecture: str, model: Path) -> None:
    made = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in model.iterdir()}
    assert made == COMMON | GOLDEN[architecture]


@pytest.mark.usefixtures("offline")
def test_transformers_reads_config_and_tokenizer(architecture: str, model: Path) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.AutoConfig.from_pretrained(model)
    tokenizer = transformers.AutoTokenizer.from_pretrained(model)
    assert (config.model_type, config.vocab_size, len(tokenizer)) == (architecture, 2048, 2048)
    assert tokenizer.decode(tokenizer.encode(UNICODE)) == UNICODE
    assert tokenizer.eos_token_id in transformers.GenerationConfig.from_pretrained(model).eos_token_id


@pytest.mark.usefixtures("offline")
def test_the_chat_template_renders_a_conversation(model: Path) -> None:
    tokenizer = pytest.importorskip("transformers").AutoTokenizer.from_pretrained(model)
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    assert tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    )


@pytest.mark.usefixtures("offline")
def test_every_token_id_decodes_to_text_that_can_be_seen(model: Path) -> None:
    """A mocker answers with random ids from 1000 to 2000; what it says, sent back, is the same ids."""
    tokenizer = pytest.importorskip("transformers").AutoTokenizer.from_pretrained(model)
    assert tokenizer.decode([1619, 1485]) == " w1619 w1485"
    assert tokenizer.encode(" w1619 w1485") == [1619, 1485]
    assert all(tokenizer.convert_ids_to_tokens(number) for number in range(2048))


def test_merges_are_learned_words_and_not_single_bytes(model: Path) -> None:
    tokenizer = pytest.importorskip("tokenizers").Tokenizer.from_file(str(model / "tokenizer.json"))
    assert tokenizer.encode("answer the question for the model").tokens[-3:] == ["Ġfor", "Ġthe", "Ġmodel"]


def test_safetensors_reads_the_tensors_that_the_config_promises(architecture: str, model: Path) -> None:
    safetensors = pytest.importorskip("safetensors")
    with safetensors.safe_open(model / "model.safetensors", "numpy") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  it is no mapping
        assert file.metadata() == {"format": "pt"}
    layer = "model.layers.0."
    assert tensors[f"{layer}self_attn.k_proj.weight"].shape == (32, 64)
    assert (f"{layer}self_attn.q_norm.weight" in tensors) == (architecture == "qwen3")
    assert (f"{layer}self_attn.v_proj.bias" in tensors) == (architecture == "qwen2")
    embedding = tensors["model.embed_tokens.weight"]
    assert (embedding.shape, str(embedding.dtype)) == ((2048, 64), "float32")
    assert abs(float(embedding.mean())) < 0.001
    assert 0.045 < float(embedding.std()) < 0.055
    assert all((tensors[name] == 1).all() for name in tensors if name.endswith("norm.weight"))


def test_other_options_are_other_bytes_at_another_place(tmp_path: Path) -> None:
    plain = Synthetic(architecture="llama")
    others = [plain, replace(plain, seed=1), replace(plain, layers=2), Synthetic(architecture="qwen3")]
    paths = [cached_path(options, tmp_path) for options in others]
    for options, path in zip(others, paths, strict=True):
        make(options, path)
    weights = [(path / "model.safetensors").read_bytes() for path in paths]
    assert all(one != other for one, other in itertools.combinations(weights, 2))
    assert len(set(paths)) == len(others)
    assert json.loads((paths[2] / "config.json").read_text())["num_hidden_layers"] == 2


def test_a_file_that_is_missing_or_cut_short_makes_a_model_incomplete(model: Path) -> None:
    weights = model / "model.safetensors"
    for spoil in (
        lambda: weights.write_bytes(weights.read_bytes()[:-1]),
        lambda: weights.write_bytes(b""),
        (model / "config.json").unlink,
    ):
        make(Synthetic(architecture="qwen3"), model)
        assert is_complete(model)
        spoil()
        assert not is_complete(model)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"vocab_size": 320}, "vocab_size must be at least 2048, not 320"),
        ({"layers": 0}, "layers must be at least 1, not 0"),
        ({"heads": 3, "kv_heads": 2}, r"heads \(3\) must be a multiple of kv_heads \(2\)"),
        ({"head_dim": 31}, "head_dim must be even"),
        ({"hidden_size": 128, "architecture": "qwen2"}, "with qwen2, heads times head_dim must be hidden_size"),
        ({"hidden_size": 100_000}, "may have 100,000,000 weights"),
        (
            {"architecture": "qwen2", "layers": 0, "heads": 3, "kv_heads": 2, "vocab_size": 2},
            r"layers must .*; vocab_size must .*; heads .* must .*; with qwen2",
        ),
        ({"kv_heads": 0, "layers": -1}, "layers must be at least 1, not -1; kv_heads must be at least 1, not 0"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Synthetic(**{"architecture": "llama", **options})


def test_the_file_format_can_be_read_from_the_options() -> None:
    adapter = TypeAdapter(Synthetic)
    assert adapter.validate_python({"architecture": "qwen2", "seed": 3}) == Synthetic(architecture="qwen2", seed=3)
    properties = adapter.json_schema()["properties"]
    assert properties["architecture"]["enum"] == ["qwen3", "llama", "qwen2"]
    for wrong in (
        {"architecture": "gpt2"},
        {"architecture": "llama", "colour": 1},
        {"architecture": "llama", "layers": 0},
    ):
        with pytest.raises(ValidationError):
            adapter.validate_python(wrong)
