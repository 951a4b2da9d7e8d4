"""``python -m design export MODEL``: exports a checkpoint or weight image as files for a board."""

import functools
from pathlib import Path

from rich.console import Console

from board.kit import FILES, check_folder, write_kit
from design.options import with_options
from golden.calibrate import config_for
from golden.checkpoints import load_checkpoint
from golden.image import is_image, load, unpack
from golden.progress import calibrating
from golden.quantise import Model, quantise
from golden.tokenizers import Tokenizer, files_of
from sim.models import open_tokenizer, prompt_ids
from tools.errors import BadInput

_stderr = Console(stderr=True, highlight=False)


def export_model(
    source: Path,
    lanes: str | None,
    cache: str | None,
    rope: str | None,
    folder: Path,
    tokenizer_path: Path | None,
    prompt: str,
    tokens: int,
) -> None:
    """Write the files `FILES` for `source` into `folder`; see `kit.write_kit`.

    The tokenizer is that at `tokenizer_path`, or the one in or beside a checkpoint.

    Raises :class:`BadInput` for a source that is neither, for a prompt without a tokenizer, and if
    `lanes` differs from the lanes of an image, which determine the order of its weights.
    """
    check_folder(folder)
    with _stderr.status("reading") as status:
        stored = is_image(source)
        model = (_stored if stored else _quantised)(source, lanes, cache, rope)
        shape = model.config.shape

        @functools.cache
        def tokenizer() -> Tokenizer:
            if tokenizer_path is None and stored:
                raise BadInput(f"--prompt = {prompt!r} needs --tokenizer")
            return open_tokenizer(tokenizer_path, source, shape)

        ids = prompt_ids(prompt, tokenizer, shape)
        has_tokenizer = tokenizer_path or (not stored and files_of(source, shape.vocab))
        piece = tokenizer().stream().put if has_tokenizer else lambda token: b""
        write_kit(model, folder, ids, tokens, piece, lambda doing: status.update(doing))
    _stderr.print(f"{folder}: {model.config.describe()}: {', '.join(FILES)}", soft_wrap=True)


def _stored(source: Path, lanes: str | None, cache: str | None, rope: str | None) -> Model:
    """The model of a weight image."""
    config, packed = load(source)
    if lanes is not None and int(lanes) != config.geometry.lanes:
        raise BadInput(f"--lanes = {lanes}: {source} is an image for {config.geometry.lanes} lanes")
    return unpack(with_options(config, cache=cache, rope=rope), packed)


def _quantised(source: Path, lanes: str | None, cache: str | None, rope: str | None) -> Model:
    """The model of a checkpoint."""
    checkpoint = load_checkpoint(source)
    config = config_for(checkpoint, progress=calibrating(checkpoint))
    return quantise(checkpoint, with_options(config, lanes, cache, rope))
