"""Checkpoints of every kind: one entry that finds out by the content what a file is."""

from collections.abc import Callable
from pathlib import Path

from golden.checkpoint import Checkpoint
from golden.checkpoints import gguf, huggingface, llama2c
from golden.checkpoints.survey import Survey
from golden.formats.facts import parsed_json
from golden.formats.foreign import foreign
from golden.formats.gguf import MAGIC
from golden.formats.safetensors import is_safetensors
from tools.errors import BadInput
from tools.files import PathLike, reading, shown
from tools.sources import ROOT

#: The model that comes with the repository.
DEFAULT = ROOT / "models" / "tales260k"
#: How much of a file is looked at to tell what it is.
HEAD = 512


def survey(path: PathLike) -> Survey:
    """Look at a model without reading a weight: a Hugging Face folder or a file in it, a GGUF file
    or the folder of one, or a file of llama2.c.

    Raises :class:`BadInput` naming file, field and value for what is damaged or of another kind.
    """
    place = Path(path)
    if place.is_dir():
        return _folder(place)
    reader = _reader(place)
    return reader(place.parent if reader is huggingface.survey else place)


def _folder(place: Path) -> Survey:
    """The model in a folder: one of Hugging Face, else the one GGUF file there."""
    files = sorted(place.glob("*.gguf"))
    if not (place / huggingface.CONFIG).exists() and files:
        if len(files) > 1:
            names = ", ".join(file.name for file in files[:3])
            raise BadInput(f"{shown(place)}: holds {len(files)} GGUF files, name one: {names}")
        return gguf.survey(files[0])
    return huggingface.survey(place)


def _reader(path: Path) -> Callable[[Path], Survey]:
    """Who reads a file, by how it begins; raises for what is nothing of ours.

    llama2.c's first version has no magic, so that what nobody knows is taken for it.
    """
    with reading(path) as (file, size):
        head = file.read(HEAD)
        if head.startswith(MAGIC):
            return gguf.survey
        if is_safetensors(head, size):
            return huggingface.survey
        is_json = head[:1] == b"{" and size <= huggingface.LONGEST_JSON
        if is_json and huggingface.is_config(parsed_json(head + file.read())):
            return huggingface.survey
        if name := foreign(head):
            raise BadInput(f"is {name}, which is no checkpoint that is read here")
        return llama2c.survey


def load_checkpoint(path: PathLike) -> Checkpoint:
    """The model at `path`, with weights that are read when they are used.

    Raises :class:`BadInput` as :func:`survey` does, and for a model that is not built.
    """
    return survey(path).checkpoint()
