"""Tokenizers of every kind: one entry that finds out by the content what a file is."""

from pathlib import Path

from golden.formats.foreign import foreign
from golden.formats.gguf import MAGIC
from golden.tokenizers import gguf, huggingface
from golden.tokenizers.llama2c import Llama2cTokenizer
from golden.tokenizers.protocol import TextStream, Tokenizer
from tools.errors import BadInput
from tools.files import PathLike, reading, shown

__all__ = ["TextStream", "Tokenizer", "files_of", "load_tokenizer", "tokenizer_of"]

#: Names of llama2.c's files beside a model; {} is the size of the vocabulary.
LLAMA2C = ("tokenizer.bin", "tok{}.bin")


def load_tokenizer(path: PathLike, vocab: int) -> Tokenizer:
    """The tokenizer at `path` for a model of `vocab` ids: a `tokenizer.json` or the folder of one,
    that in a GGUF file, or a `tokenizer.bin` of llama2.c.

    Raises :class:`BadInput` naming file, field and value for what is damaged, of another kind, or
    has ids that the model does not know.
    """
    place = Path(path)
    if place.is_dir():
        return _checked(huggingface.read(place / huggingface.TOKENIZER), place, vocab)
    with reading(place) as (file, _):
        head = file.read(512)
        name = foreign(head)
        is_gguf, is_json = head.startswith(MAGIC), head.lstrip()[:1] == b"{"
        # llama2.c's first 4 bytes are a small number, and those of another kind are magic.
        if name and not (is_json or is_gguf) and int.from_bytes(head[:4], "little") >= 1 << 16:
            raise BadInput(f"is {name}, which is no tokenizer that is read here")
    if is_gguf:
        return _checked(gguf.read(place), place, vocab)
    if is_json:
        return _checked(huggingface.read(place), place, vocab)
    return Llama2cTokenizer.read(place, vocab)


def _checked(tokenizer: Tokenizer, path: Path, vocab: int) -> Tokenizer:
    if tokenizer.vocab > vocab:
        raise BadInput(
            f"{shown(path)}: the tokenizer has ids up to {tokenizer.vocab - 1}, but the model has"
            f" vocab = {vocab}"
        )
    return tokenizer


def files_of(model: PathLike, vocab: int) -> dict[str, bytes]:
    """The files of the tokenizer in or beside `model`, by name; none where there is none."""
    try:
        return tokenizer_of(model, vocab).files()
    except _NoTokenizer:
        return {}


class _NoTokenizer(BadInput):
    """There is none where one was looked for."""


def tokenizer_of(model: PathLike, vocab: int) -> Tokenizer:
    """The tokenizer in or beside `model`, which has `vocab` ids.

    Raises :class:`BadInput` where there is none, and as :func:`load_tokenizer` does.
    """
    place = Path(model)
    if place.suffix.lower() == ".gguf":
        return load_tokenizer(place, vocab)
    folder = place if place.is_dir() else place.parent
    names = (huggingface.TOKENIZER, *(name.format(vocab) for name in LLAMA2C))
    for name in names:
        if (folder / name).exists():
            return load_tokenizer(folder / name, vocab)
    if place.is_dir() and (files := sorted(place.glob("*.gguf"))):
        return load_tokenizer(files[0], vocab)
    raise _NoTokenizer(f"{shown(folder)}: there is no {' nor '.join(names)}: --tokenizer names one")
