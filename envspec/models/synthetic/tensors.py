"""The tensors of a synthetic model, and the random numbers in them.

Integers from SHAKE-256 are summed to something normal enough and scaled by a number that fits: no floating-point
operation here ever rounds, so the bytes are the same everywhere.
"""

from __future__ import annotations

import hashlib
import sys
from array import array
from collections.abc import Iterator
from math import prod

from envspec.models.synthetic.options import Synthetic
from envspec.models.synthetic.safetensors import Shape

# The sum of four random bytes is 510 with a deviation of 147.8; this makes it 0 with 0.0496, in 13 bits of 24.
_SCALE = 11 / 2**15
_WEIGHT_OF_SUM = [(total - 510) * _SCALE for total in range(4 * 255 + 1)]


def tensor_shapes(options: Synthetic) -> dict[str, Shape]:
    """Return the model's tensors by name. The output layer is the embedding, so it has none of its own."""
    shapes: dict[str, Shape] = {
        "model.embed_tokens.weight": (options.vocab_size, options.hidden_size),
        "model.norm.weight": (options.hidden_size,),
    }
    for layer in range(options.layers):
        shapes |= {f"model.layers.{layer}.{name}": shape for name, shape in _layer_shapes(options)}
    return dict(sorted(shapes.items()))


def random_tensor(seed: int, name: str, shape: Shape) -> bytes:
    """Return the values of a tensor as little-endian 32-bit floats: norms are ones, biases zeros, the rest random.

    Each tensor has a stream of its own, made of seed and name.
    """
    if name.endswith("norm.weight"):
        values = array("f", [1.0]) * prod(shape)
    elif name.endswith(".bias"):
        values = array("f", [0.0]) * prod(shape)
    else:
        stream = hashlib.shake_256(f"envspec synthetic {seed} {name}".encode()).digest(4 * prod(shape))
        quarters = zip(stream[0::4], stream[1::4], stream[2::4], stream[3::4], strict=True)
        values = array("f", [_WEIGHT_OF_SUM[a + b + c + d] for a, b, c, d in quarters])
    if sys.byteorder == "big":
        values.byteswap()
    return values.tobytes()


def _layer_shapes(options: Synthetic) -> Iterator[tuple[str, Shape]]:
    hidden, inner = options.hidden_size, options.intermediate_size
    queries, keys = options.heads * options.head_dim, options.kv_heads * options.head_dim
    yield "input_layernorm.weight", (hidden,)
    yield "post_attention_layernorm.weight", (hidden,)
    for name, width in (("q", queries), ("k", keys), ("v", keys)):
        yield f"self_attn.{name}_proj.weight", (width, hidden)
        if options.architecture == "qwen2":
            yield f"self_attn.{name}_proj.bias", (width,)
    yield "self_attn.o_proj.weight", (hidden, queries)
    if options.architecture == "qwen3":
        yield "self_attn.q_norm.weight", (options.head_dim,)
        yield "self_attn.k_norm.weight", (options.head_dim,)
    yield "mlp.gate_proj.weight", (inner, hidden)
    yield "mlp.up_proj.weight", (inner, hidden)
    yield "mlp.down_proj.weight", (hidden, inner)
