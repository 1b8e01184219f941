"""What the file may say of a synthetic model. Pydantic reads fields and docstrings, without being imported here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, ClassVar, Literal

from envspec.record import Record

LEAST_VOCABULARY = 2048
MOST_WEIGHTS = 100_000_000  # 400 MB and ten seconds of making; whoever wants more wants a real model


class Synthetic(Record):
    """A tiny model with random weights, a tokenizer and a chat template, made here: no download.

    Raises:
        ValueError: the sizes do not fit one another; says all that is wrong.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    architecture: Literal["qwen3", "llama", "qwen2"]
    """The family whose config and tensor names the files have."""
    seed: int = 0
    """Another seed gives other weights; the tokenizer stays the same."""
    vocab_size: int = LEAST_VOCABULARY
    """Tokens, at least 2048: Dynamo's mocker answers with ids up to 2000, which would decode to nothing."""
    hidden_size: int = 64
    """Width of the residual stream."""
    intermediate_size: int = 64
    """Width within the MLP."""
    layers: int = 1
    """Decoder layers."""
    heads: int = 2
    """Attention heads."""
    kv_heads: int = 1
    """Key-value heads; `heads` must be a multiple of it."""
    head_dim: int = 32
    """Width of a head, even. With qwen2 `heads` times `head_dim` must be `hidden_size`."""
    context_length: int = 2048
    """Positions: prompt and answer together, in tokens."""

    def __post_init__(self) -> None:
        faults = list(_faults(self))
        if faults:
            raise ValueError("; ".join(faults))

    @property
    def weights(self) -> int:
        """How many numbers are in the model's matrices."""
        attention = 2 * self.hidden_size * self.head_dim * (self.heads + self.kv_heads)
        mlp = 3 * self.hidden_size * self.intermediate_size
        return self.vocab_size * self.hidden_size + self.layers * (attention + mlp)


def _faults(options: Synthetic) -> Iterator[str]:
    sizes = {name: value for name, value in asdict(options).items() if name not in ("architecture", "seed")}
    too_small = {name: f"{name} must be at least 1, not {value}" for name, value in sizes.items() if value < 1}
    yield from too_small.values()
    if options.vocab_size < LEAST_VOCABULARY and "vocab_size" not in too_small:
        yield f"vocab_size must be at least {LEAST_VOCABULARY}, not {options.vocab_size}"
    if not {"heads", "kv_heads"} & too_small.keys() and options.heads % options.kv_heads:
        yield f"heads ({options.heads}) must be a multiple of kv_heads ({options.kv_heads})"
    if options.head_dim % 2:
        yield f"head_dim must be even, not {options.head_dim}: rotary positions take its elements in pairs"
    width = options.heads * options.head_dim
    if options.architecture == "qwen2" and width > 0 and width != options.hidden_size:
        yield f"with qwen2, heads times head_dim must be hidden_size ({options.hidden_size})"
    if not too_small and options.weights > MOST_WEIGHTS:
        yield f"a synthetic model may have {MOST_WEIGHTS:,} weights, this one would have {options.weights:,}"
