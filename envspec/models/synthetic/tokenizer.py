"""The tokenizer of synthetic models: byte-level BPE, so that every text can be encoded and comes back unchanged."""

from __future__ import annotations

from typing import Any

END_OF_TEXT, START_OF_MESSAGE, END_OF_MESSAGE = 0, 1, 2
SPECIAL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")

# Learned once, by BPE over five lines of English, and kept: what each merges, in the order of learning.
_MERGES = """
Ġ t|h e|Ġt he|Ġ a|Ġ o|e r|Ġa n|e s|Ġ i|Ġ w|o r|Ġ p|es t|e n|h a|h i|n e|r e|r o|Ġ f|Ġt o|Ġan d|Ġi s|e l|q u|s w|v er
Ġ s|Ġo f|Ġo ne|Ġan sw|Ġw a|Ġansw er|c es|d el|i m|i n|k en|l d|m o|t he|Ġ b|Ġ ha|Ġ re|Ġ qu|Ġ mo|Ġt est|Ġo ver|Ġi n
Ġw or|or t|Ġp ro|Ġp ort|ha t|hi s|Ġf or|Ġto ken|Ġwa s|ces s|the r|Ġmo del
"""
MERGES = tuple(tuple(pair.split(" ")) for line in _MERGES.split("\n") if line for pair in line.split("|"))

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def tokenizer_json(vocab_size: int) -> dict[str, Any]:
    """Return the content of tokenizer.json: special tokens, 256 bytes, merges, and padding up to `vocab_size`.

    The padding tokens read ` w1619`: an engine that answers with random ids gives text that can be seen, and that text
    sent back is the same ids.
    """
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": number, **token} for number, token in _added_tokens(vocab_size).items()],
        "normalizer": None,
        "pre_tokenizer": _byte_level(trim_offsets=True),
        "post_processor": _byte_level(trim_offsets=False),
        "decoder": _byte_level(trim_offsets=True),
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {content: number for number, content in enumerate(_learned_vocabulary())},
            "merges": [list(pair) for pair in MERGES],
        },
    }


def tokenizer_config(vocab_size: int, context_length: int) -> dict[str, Any]:
    """Return the content of tokenizer_config.json.

    It repeats the added tokens: of qwen2, transformers builds a tokenizer of its own, which takes them from here only.
    """
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": context_length,
        "bos_token": None,
        **special_tokens_map(),
        "clean_up_tokenization_spaces": False,
        "added_tokens_decoder": {str(number): token for number, token in _added_tokens(vocab_size).items()},
        "chat_template": CHAT_TEMPLATE,
    }


def special_tokens_map() -> dict[str, str]:
    """Return the content of special_tokens_map.json."""
    return {"eos_token": SPECIAL_TOKENS[END_OF_MESSAGE], "pad_token": SPECIAL_TOKENS[END_OF_TEXT]}


def _byte_alphabet() -> list[str]:
    """Return the 256 characters that byte-level BPE writes bytes as, sorted.

    Bytes that print stand for themselves; the others, the space among them, get the characters from U+0100 on.
    """
    printable = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)}
    return [chr(byte) for byte in sorted(printable)] + [chr(256 + i) for i in range(256 - len(printable))]


def _byte_level(*, trim_offsets: bool) -> dict[str, Any]:
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": trim_offsets, "use_regex": True}


def _learned_vocabulary() -> list[str]:
    return [*SPECIAL_TOKENS, *_byte_alphabet(), *("".join(pair) for pair in MERGES)]


def _added_tokens(vocab_size: int) -> dict[int, dict[str, Any]]:
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    learned = len(_learned_vocabulary())
    special = {number: {"content": content, **plain, "special": True} for number, content in enumerate(SPECIAL_TOKENS)}
    padding = {n: {"content": f" w{n}", **plain, "special": False} for n in range(learned, vocab_size)}
    return special | padding
