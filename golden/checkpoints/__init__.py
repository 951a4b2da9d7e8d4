"""Checkpoints of every supported format, which is detected by content."""

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
#: Bytes of a file that are read to detect its format.
HEAD = 512


def survey(path: PathLike) -> Survey:
    """Read the header of a model, not its weights: a Hugging Face folder or a file in it, a GGUF
    file or the folder of one, or a file of llama2.c.

    Raises :class:`BadInput` naming file, field and value for damaged files and other formats.
    """
    model = Path(path)
    if model.is_dir():
        return _folder(model)
    reader = _reader(model)
    return reader(model.parent if reader is huggingface.survey else model)


def _folder(folder: Path) -> Survey:
    """The model in a folder: that of Hugging Face, else the only GGUF file."""
    files = sorted(folder.glob("*.gguf"))
    if not (folder / huggingface.CONFIG).exists() and files:
        if len(files) > 1:
            names = ", ".join(file.name for file in files[:3])
            raise BadInput(f"{shown(folder)}: holds {len(files)} GGUF files, name one: {names}")
        return gguf.survey(files[0])
    return huggingface.survey(folder)


def _reader(path: Path) -> Callable[[Path], Survey]:
    """The reader of a file, detected by its first bytes; raises for known foreign formats.

    The first version of llama2.c has no magic number, so any unknown file is taken for it.
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
            raise BadInput(f"is {name}, not a checkpoint of a supported format")
        return llama2c.survey


def load_checkpoint(path: PathLike) -> Checkpoint:
    """The model at `path`, whose weights are read when they are used.

    Raises :class:`BadInput` as :func:`survey` does, and for a model that is not supported.
    """
    return survey(path).checkpoint()
