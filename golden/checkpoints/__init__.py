"""Checkpoints of every kind: one entry that finds out by the content what a file is."""

from pathlib import Path

from design.errors import BadInput
from design.files import PathLike, reading
from golden.checkpoint import Checkpoint
from golden.checkpoints import huggingface, llama2c
from golden.checkpoints.survey import Survey
from golden.formats.facts import parsed_json
from golden.formats.foreign import foreign
from golden.formats.safetensors import is_safetensors

#: How much of a file is looked at to tell what it is.
HEAD = 512


def survey(path: PathLike) -> Survey:
    """Look at a model without reading a weight: a Hugging Face folder or a file in it, or llama2.c.

    Raises :class:`BadInput` naming file, field and value for what is damaged or of another kind.
    """
    place = Path(path)
    if place.is_dir():
        return huggingface.survey(place)
    return huggingface.survey(place.parent) if _in_folder(place) else llama2c.survey(place)


def _in_folder(path: Path) -> bool:
    """Whether a file is part of a Hugging Face folder; raises for those that are nothing of ours.

    llama2.c's first version has no magic, so that what nobody knows is taken for it.
    """
    with reading(path) as (file, size):
        head = file.read(HEAD)
        if is_safetensors(head, size):
            return True
        is_json = head[:1] == b"{" and size <= huggingface.LONGEST_JSON
        if is_json and huggingface.is_config(parsed_json(head + file.read())):
            return True
        if name := foreign(head):
            raise BadInput(f"is {name}, which is no checkpoint that is read here")
        return False


def load_checkpoint(path: PathLike) -> Checkpoint:
    """The model at `path`, with weights that are read when they are used.

    Raises :class:`BadInput` as :func:`survey` does, and for a model that is not built.
    """
    return survey(path).checkpoint()
