"""The JSON files of a synthetic model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from envspec.models.synthetic.options import Synthetic
from envspec.models.synthetic.tokenizer import (
    END_OF_MESSAGE,
    END_OF_TEXT,
    special_tokens_map,
    tokenizer_config,
    tokenizer_json,
)

_CLASSES = {"qwen3": "Qwen3ForCausalLM", "llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM"}


def _config(options: Synthetic) -> dict[str, Any]:
    return {
        "architectures": [_CLASSES[options.architecture]],
        "model_type": options.architecture,
        "vocab_size": options.vocab_size,
        "hidden_size": options.hidden_size,
        "intermediate_size": options.intermediate_size,
        "num_hidden_layers": options.layers,
        "num_attention_heads": options.heads,
        "num_key_value_heads": options.kv_heads,
        "head_dim": options.head_dim,
        "hidden_act": "silu",
        "max_position_embeddings": options.context_length,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "attention_bias": False,
        "tie_word_embeddings": True,
        "initializer_range": 0.02,
        "use_cache": True,
        "bos_token_id": END_OF_TEXT,
        "eos_token_id": END_OF_MESSAGE,
        "pad_token_id": END_OF_TEXT,
        "torch_dtype": "float32",
    }


def _generation_config(_options: Synthetic) -> dict[str, Any]:
    return {"eos_token_id": [END_OF_MESSAGE, END_OF_TEXT], "pad_token_id": END_OF_TEXT, "do_sample": False}


JSON_FILES: Mapping[str, Callable[[Synthetic], Mapping[str, Any]]] = {
    "config.json": _config,
    "generation_config.json": _generation_config,
    "special_tokens_map.json": lambda _options: special_tokens_map(),
    "tokenizer.json": lambda options: tokenizer_json(options.vocab_size),
    "tokenizer_config.json": lambda options: tokenizer_config(options.vocab_size, options.context_length),
}
"""What each file holds, as a function of the options."""
