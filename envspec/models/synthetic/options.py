"""What the file may say of a synthetic model. Pydantic reads fields and docstrings, without being imported here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from typing import Any, ClassVar, Literal, NamedTuple

from envspec.record import Record

LEAST_VOCABULARY = 2048
MOST_WEIGHTS = 100_000_000  # 400 MB and ten seconds of making; whoever wants more wants a real model


class Misfit(NamedTuple):
    """What is wrong with the sizes of a model, and whose fault it may be, the likeliest first."""

    keys: tuple[str, ...]
    message: str


class MisfitError(ValueError):
    """The sizes do not fit one another; says all that is wrong (`misfits`)."""


class Synthetic(Record):
    """A tiny model with random weights, a tokenizer and a chat template, made here: no download.

    Raises:
        MisfitError: the sizes do not fit one another.
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
        found = [misfit.message for misfit in misfits(asdict(self))]
        if found:
            raise MisfitError("; ".join(found))


def misfits(said: Mapping[str, object]) -> Iterator[Misfit]:
    """Yield every size that is wrong, and sizes that do not fit one another.

    What is said as something else than a whole number is wrong by its type, and nothing that needs it is judged.
    """
    defaults: dict[str, Any] = {
        item.name: item.default for item in fields(Synthetic) if item.name not in ("architecture", "seed")
    }
    sizes = {name: value for name in defaults if type(value := said.get(name, defaults[name])) is int}
    yield from (
        Misfit((name,), f"{name} must be at least 1, not {value}") for name, value in sizes.items() if value < 1
    )
    sizes = {name: value for name, value in sizes.items() if value >= 1}
    if sizes.get("vocab_size", LEAST_VOCABULARY) < LEAST_VOCABULARY:
        yield Misfit(("vocab_size",), f"vocab_size must be at least {LEAST_VOCABULARY}, not {sizes['vocab_size']}")
    heads, kv_heads, head_dim, width = map(sizes.get, ("heads", "kv_heads", "head_dim", "hidden_size"))
    if heads and kv_heads and heads % kv_heads:
        yield Misfit(("heads", "kv_heads"), f"heads ({heads}) must be a multiple of kv_heads ({kv_heads})")
    if head_dim and head_dim % 2:
        yield Misfit(
            ("head_dim",), f"head_dim must be even, not {head_dim}: rotary positions take its elements in pairs"
        )
    if said.get("architecture") == "qwen2" and heads and head_dim and width and heads * head_dim != width:
        message = f"with qwen2, heads times head_dim must be hidden_size ({width})"
        yield Misfit(("hidden_size", "heads", "head_dim", "architecture"), message)
    if len(sizes) == len(defaults) and (weights := _weights(**sizes)) > MOST_WEIGHTS:
        by_excess = sorted(sizes, key=lambda name: sizes[name] / defaults[name], reverse=True)
        message = f"a synthetic model may have {MOST_WEIGHTS:,} weights, this one would have {weights:,}"
        yield Misfit(tuple(by_excess), message)


def _weights(**sizes: int) -> int:
    attention = 2 * sizes["hidden_size"] * sizes["head_dim"] * (sizes["heads"] + sizes["kv_heads"])
    mlp = 3 * sizes["hidden_size"] * sizes["intermediate_size"]
    return sizes["vocab_size"] * sizes["hidden_size"] + sizes["layers"] * (attention + mlp)
