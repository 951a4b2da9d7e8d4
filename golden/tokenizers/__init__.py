"""Tokenizers of every supported format, which is detected by content."""

from pathlib import Path

from golden.formats.foreign import foreign
from golden.formats.gguf import MAGIC
from golden.tokenizers import gguf, huggingface
from golden.tokenizers.llama2c import Llama2cTokenizer
from golden.tokenizers.protocol import TextStream, Tokenizer
from tools.errors import BadInput
from tools.files import PathLike, reading, shown

__all__ = ["TextStream", "Tokenizer", "files_of", "load_tokenizer", "tokenizer_of"]

#: Tokenizer files of llama2.c beside a model; {} is the size of the vocabulary.
LLAMA2C = ("tokenizer.bin", "tok{}.bin")


def load_tokenizer(path: PathLike, vocab: int) -> Tokenizer:
    """The tokenizer at `path` for a model of `vocab` ids: a `tokenizer.json` or its folder, a GGUF
    file, or a `tokenizer.bin` of llama2.c.

    Raises :class:`BadInput` naming file, field and value for damaged files, other formats, and ids
    outside the model's vocabulary.
    """
    file_path = Path(path)
    if file_path.is_dir():
        return _checked(huggingface.read(file_path / huggingface.TOKENIZER), file_path, vocab)
    with reading(file_path) as (file, _):
        head = file.read(512)
        name = foreign(head)
        is_gguf, is_json = head.startswith(MAGIC), head.lstrip()[:1] == b"{"
        # llama2.c files begin with a small number, other formats with a magic number.
        if name and not (is_json or is_gguf) and int.from_bytes(head[:4], "little") >= 1 << 16:
            raise BadInput(f"is {name}, not a tokenizer of a supported format")
    if is_gguf:
        return _checked(gguf.read(file_path), file_path, vocab)
    if is_json:
        return _checked(huggingface.read(file_path), file_path, vocab)
    return Llama2cTokenizer.read(file_path, vocab)


def _checked(tokenizer: Tokenizer, path: Path, vocab: int) -> Tokenizer:
    if tokenizer.vocab > vocab:
        raise BadInput(
            f"{shown(path)}: the tokenizer has ids up to {tokenizer.vocab - 1}, but the model has"
            f" vocab = {vocab}"
        )
    return tokenizer


def files_of(model: PathLike, vocab: int) -> dict[str, bytes]:
    """The files of the tokenizer in or beside `model`, by name; empty without a tokenizer."""
    try:
        return tokenizer_of(model, vocab).files()
    except _NoTokenizer:
        return {}


class _NoTokenizer(BadInput):
    """No tokenizer in or beside a model."""


def tokenizer_of(model: PathLike, vocab: int) -> Tokenizer:
    """The tokenizer in or beside `model`, which has `vocab` ids.

    Raises :class:`BadInput` if none exists, and as :func:`load_tokenizer` does.
    """
    model_path = Path(model)
    if model_path.suffix.lower() == ".gguf":
        return load_tokenizer(model_path, vocab)
    folder = model_path if model_path.is_dir() else model_path.parent
    names = (huggingface.TOKENIZER, *(name.format(vocab) for name in LLAMA2C))
    for name in names:
        if (folder / name).exists():
            return load_tokenizer(folder / name, vocab)
    if model_path.is_dir() and (files := sorted(model_path.glob("*.gguf"))):
        return load_tokenizer(files[0], vocab)
    raise _NoTokenizer(f"{shown(folder)}: has no {' or '.join(names)}: name one by --tokenizer")
