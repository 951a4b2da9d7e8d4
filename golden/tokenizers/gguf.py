"""The vocabulary in a GGUF file as a tokenizer of the library `tokenizers`.

Two kinds: byte-level BPE ("gpt2", llama.cpp `llm_tokenizer_bpe`) and the BPE of SentencePiece
("llama", `llm_tokenizer_spm`), whose merges are derived from the scores as in Hugging Face
Transformers, `convert_slow_tokenizer.py`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers
from tokenizers import (
    AddedToken,
    Regex,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
)

from golden.formats.facts import Facts, brief
from golden.formats.gguf import read_header
from golden.tokenizers.chat import ChatTemplate
from golden.tokenizers.library import LibraryTokenizer
from tools.errors import BadInput
from tools.files import shown

_KEYS = "tokenizer.ggml."
#: Values of `token_type`.
UNKNOWN, CONTROL, USER_DEFINED, BYTE = 2, 3, 4, 6
#: Longest piece of a SentencePiece vocabulary, in characters; real ones have up to 16.
LONGEST_PIECE = 256

_QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_LLAMA3 = _QWEN2.replace(r"|\p{N}|", r"|\p{N}{1,3}|")


def _split(pattern: str) -> pre_tokenizers.PreTokenizer:
    """Splits into the matches of `pattern` and the text between them, as bytes."""
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def _digits() -> pre_tokenizers.PreTokenizer:
    """The splitter of GPT-2, with every digit separate."""
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )


#: How text is split before BPE, by `tokenizer.ggml.pre`.
PRE_TOKENIZERS = {
    "gpt-2": lambda: pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
    "smollm": _digits,
    "llama-bpe": lambda: _split(_LLAMA3),
    "llama3": lambda: _split(_LLAMA3),
    "llama-v3": lambda: _split(_LLAMA3),
    "qwen2": lambda: _split(_QWEN2),
}
#: Those that look up whole words before merging, and that put BOS in front.
_LLAMA3_LIKE = ("llama-bpe", "llama3", "llama-v3")


def read(path: Path) -> LibraryTokenizer:
    """The tokenizer in the GGUF file `path`.

    Raises :class:`BadInput` naming file, field and value for damaged or unsupported files.
    """
    facts = Facts(shown(path), read_header(path).values, [])
    tokens = _texts(facts, "tokens")
    kind = facts.text(_KEYS + "model")
    if kind not in _MODELS:
        raise BadInput(
            f"{facts.where}: {_KEYS}model = {brief(kind)} is not one of {', '.join(_MODELS)}"
        )
    facts.supported(_KEYS + "add_eos_token", False)
    if facts.refused:
        raise BadInput(facts.refused[0])
    types = _numbers(facts, "token_type", len(tokens))
    tokenizer = _MODELS[kind](facts, tokens, types)
    special = [token for token, type_ in zip(tokens, types, strict=True) if type_ == CONTROL]
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])
    added = [token for token, type_ in zip(tokens, types, strict=True) if type_ == USER_DEFINED]
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in added])
    begin = begins_with(facts, len(tokens))
    if begin is not None:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=["begin", "$A"],
            special_tokens=[{"id": "begin", "ids": [begin], "tokens": [tokens[begin]]}],
        )
    return LibraryTokenizer(tokenizer, _chat(facts, tokens))


def _bpe(facts: Facts, tokens: Sequence[str], types: Sequence[int]) -> tokenizers.Tokenizer:
    pre = facts.text(_KEYS + "pre")
    if pre not in PRE_TOKENIZERS:
        known = ", ".join(PRE_TOKENIZERS)
        raise BadInput(f"{facts.where}: {_KEYS}pre = {brief(pre)} is not one of {known}")
    vocab = _ids(facts, tokens)
    merges = []
    for merge in _texts(facts, "merges"):
        left, _, right = merge.partition(" ")
        if left not in vocab or right not in vocab or left + right not in vocab:
            raise BadInput(f"{facts.where}: {_KEYS}merges has {brief(merge)}, not of its tokens")
        merges.append((left, right))
    model = models.BPE(vocab=vocab, merges=merges, ignore_merges=pre in _LLAMA3_LIKE)
    tokenizer = tokenizers.Tokenizer(model)
    if pre == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = PRE_TOKENIZERS[pre]()
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _sentencepiece(
    facts: Facts, tokens: Sequence[str], types: Sequence[int]
) -> tokenizers.Tokenizer:
    scores = _numbers(facts, "scores", len(tokens))
    if not np.isfinite(scores).all():
        raise BadInput(f"{facts.where}: {_KEYS}scores has a value that is not finite")
    vocab = _ids(facts, tokens)
    unknown = [token for token, type_ in zip(tokens, types, strict=True) if type_ == UNKNOWN]
    model = models.BPE(
        vocab=vocab,
        merges=_merges(facts, tokens, types, scores, vocab),
        unk_token=unknown[0] if unknown else None,
        fuse_unk=True,
        byte_fallback=BYTE in types,
    )
    tokenizer = tokenizers.Tokenizer(model)
    steps: list[Any] = [normalizers.Replace(" ", "▁")]
    shown_as: list[Any] = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    if facts.flag(_KEYS + "add_space_prefix", True):
        steps.insert(0, normalizers.Prepend("▁"))
        shown_as.append(decoders.Strip(" ", 1, 0))
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.decoder = decoders.Sequence(shown_as)
    return tokenizer


_MODELS = {"gpt2": _bpe, "llama": _sentencepiece}


def _merges(
    facts: Facts,
    tokens: Sequence[str],
    types: Sequence[int],
    scores: Sequence[float],
    vocab: Mapping[str, int],
) -> list[tuple[str, str]]:
    """Every pair of pieces that makes a piece, the best score first."""
    merges = []
    for token, (piece, type_, score) in enumerate(zip(tokens, types, scores, strict=True)):
        if type_ in (UNKNOWN, CONTROL, USER_DEFINED, BYTE):
            continue
        if len(piece) > LONGEST_PIECE:
            raise BadInput(
                f"{facts.where}: {_KEYS}tokens[{token}] has {len(piece)} characters, above"
                f" {LONGEST_PIECE}"
            )
        for cut in range(1, len(piece)):
            left, right = piece[:cut], piece[cut:]
            if left in vocab and right in vocab:
                merges.append((-float(score), vocab[left], vocab[right], left, right))
    return [(left, right) for *_, left, right in sorted(merges)]


def begins_with(facts: Facts, vocab: int) -> int | None:
    """The id that llama.cpp puts in front of a text, if any."""
    token = _id(facts, "bos", vocab)
    kind, pre = facts.text(_KEYS + "model", ""), facts.text(_KEYS + "pre", "")
    by_default = kind == "llama" or pre in _LLAMA3_LIKE
    return token if facts.flag(_KEYS + "add_bos_token", by_default) else None


def ends_with(facts: Facts, vocab: int) -> tuple[int, ...]:
    """The ids that end a text: those of end of text, end of turn and end of message."""
    ids = (_id(facts, name, vocab) for name in ("eos", "eot", "eom"))
    return tuple(sorted({token for token in ids if token is not None}))


def _id(facts: Facts, name: str, vocab: int) -> int | None:
    key = f"{_KEYS}{name}_token_id"
    token = facts.get(key, None)
    if token is not None and (type(token) is not int or not 0 <= token < vocab):
        raise BadInput(f"{facts.where}: {key} = {brief(token)} is not below vocab = {vocab}")
    return token


def _texts(facts: Facts, name: str) -> list[str]:
    value = facts.get(_KEYS + name)
    if not isinstance(value, list):
        raise BadInput(f"{facts.where}: {_KEYS}{name} = {brief(value)} must be texts")
    return value


def _numbers(facts: Facts, name: str, count: int) -> list[Any]:
    value = facts.get(_KEYS + name)
    if not isinstance(value, np.ndarray) or len(value) != count:
        raise BadInput(f"{facts.where}: {_KEYS}{name} = {brief(value)} must be {count} numbers")
    return value.tolist()


def _ids(facts: Facts, tokens: Sequence[str]) -> dict[str, int]:
    vocab = {token: index for index, token in enumerate(tokens)}
    if len(vocab) < len(tokens):
        index = next(i for i, token in enumerate(tokens) if vocab[token] != i)
        raise BadInput(f"{facts.where}: {_KEYS}tokens has {brief(tokens[index])} twice")
    return vocab


def _chat(facts: Facts, tokens: Sequence[str]) -> ChatTemplate | None:
    template = facts.get("tokenizer.chat_template", None)
    if not isinstance(template, str):
        return None
    ids = {name: _id(facts, name, len(tokens)) for name in ("bos", "eos", "unknown", "padding")}
    names = {"bos": "bos_token", "eos": "eos_token", "unknown": "unk_token", "padding": "pad_token"}
    return ChatTemplate(
        template, {names[name]: tokens[token] for name, token in ids.items() if token is not None}
    )
