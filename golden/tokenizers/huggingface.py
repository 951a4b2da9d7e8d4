"""The tokenizer of a Hugging Face folder: `tokenizer.json`, and its chat template."""

import functools
from pathlib import Path
from typing import Any

import tokenizers

from golden.formats.facts import LARGEST, brief, parsed_json, read_object, read_whole
from golden.tokenizers.chat import ChatTemplate
from golden.tokenizers.library import LibraryTokenizer
from tools.errors import BadInput
from tools.files import reading, shown

TOKENIZER = "tokenizer.json"
CONFIG = "tokenizer_config.json"
TEMPLATE = "chat_template.jinja"

#: Longest file, in bytes; a tokenizer of 256,000 tokens has 35 million.
LONGEST = 1 << 26

#: The supported parts of a tokenizer: those of byte-level BPE and of SentencePiece's BPE.
SUPPORTED = {
    "normalizer": {"Sequence", "NFC", "NFD", "NFKC", "NFKD", "Prepend", "Replace", "Strip"},
    "pre_tokenizer": {"Sequence", "ByteLevel", "Digits", "Metaspace", "Split"},
    "model": {"BPE"},
    "post_processor": {"Sequence", "ByteLevel", "TemplateProcessing"},
    "decoder": {"Sequence", "ByteFallback", "ByteLevel", "Fuse", "Metaspace", "Replace", "Strip"},
}
_SPECIALS = ("bos_token", "eos_token", "pad_token", "unk_token")


def is_tokenizer(values: Any) -> bool:
    """Whether a JSON value looks like a `tokenizer.json`."""
    return isinstance(values, dict) and "model" in values and "added_tokens" in values


def read(path: Path) -> LibraryTokenizer:
    """The tokenizer in the file `path`, with the chat template beside it.

    Raises :class:`BadInput` naming file, field and value for damaged or unsupported files.
    """
    with reading(path) as (file, size):
        return LibraryTokenizer(_library(read_whole(file, size, LONGEST)), _chat(path.parent))


@functools.lru_cache(maxsize=1)  # used by a model and by its tokenizer
def _library(data: bytes) -> tokenizers.Tokenizer:
    values = parsed_json(data)
    if not is_tokenizer(values):
        raise BadInput("is not a tokenizer.json: it has no model or no added_tokens")
    for part, supported in SUPPORTED.items():
        for kind in _types(values.get(part)):
            if not isinstance(kind, str) or kind not in supported:
                choices = " or ".join(sorted(supported))
                raise BadInput(f"{part} has type = {brief(kind)}, not {choices}")
    vocab = values["model"].get("vocab") if isinstance(values["model"], dict) else None
    if not isinstance(vocab, dict) or not vocab:
        raise BadInput(f"model.vocab = {brief(vocab)} must be an object of ids")
    for piece, token in vocab.items():
        if type(token) is not int or not 0 <= token <= LARGEST:
            raise BadInput(f"model.vocab has {brief(piece)} = {brief(token)}, which is not an id")
    try:
        return tokenizers.Tokenizer.from_buffer(data)
    except Exception as error:
        raise BadInput(f"is not a tokenizer.json ({' '.join(str(error).split())[:200]})") from None


def _types(part: Any) -> list[Any]:
    """The type of a part, and of the members of a sequence."""
    if part is None:
        return []
    if not isinstance(part, dict):
        raise BadInput(f"part {brief(part)} is not a JSON object")
    types = [part.get("type", "BPE" if "merges" in part else None)]  # old files have no type
    if types == ["Sequence"]:
        for name in ("normalizers", "pretokenizers", "processors", "decoders"):
            inner = part.get(name, [])
            if not isinstance(inner, list):
                raise BadInput(f"{name} = {brief(inner)} is not a list")
            for member in inner:
                types += _types(member)
    return types


def begins_with(folder: Path, bos: Any) -> int | None:
    """The id that the tokenizer of `folder` puts in front of a text.

    Without a `tokenizer.json`, the `bos` of the model's configuration, if it is an id.
    """
    if not (folder / TOKENIZER).exists():
        return bos if type(bos) is int and bos >= 0 else None
    beginning = read(folder / TOKENIZER).beginning
    if len(beginning) > 1:
        raise BadInput(
            f"{shown(folder / TOKENIZER)}: post_processor puts {len(beginning)} tokens around a"
            " text, not one in front"
        )
    return beginning[0] if beginning else None


def _chat(folder: Path) -> ChatTemplate | None:
    """The template of `chat_template.jinja`, else of `tokenizer_config.json`."""
    config = _settings(folder)
    specials = {}
    for name in _SPECIALS:
        token = config.get(name)
        text = token.get("content") if isinstance(token, dict) else token
        if isinstance(text, str):
            specials[name] = text
    template = config.get("chat_template")
    if isinstance(template, list):  # several, by name
        entries = (entry for entry in template if type(entry) is dict)
        template = {entry.get("name"): entry.get("template") for entry in entries}.get("default")
    path = folder / TEMPLATE
    if path.exists():
        with reading(path) as (file, size):
            try:
                template = read_whole(file, size, LONGEST).decode()
            except UnicodeDecodeError as error:
                raise BadInput(f"byte {error.start} is not UTF-8") from None
    return ChatTemplate(template, specials) if isinstance(template, str) else None


def _settings(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG
    return read_object(path, LONGEST) if path.exists() else {}
