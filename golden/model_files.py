"""``python -m golden inspect`` and ``convert``: the content of a model file; another format."""

import re
from collections import Counter
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from golden.checkpoints import llama2c, load_checkpoint, survey
from golden.checkpoints.survey import Survey
from golden.checkpoints.writer import write_folder
from golden.formats.safetensors import STORED
from golden.tokenizers import files_of, tokenizer_of
from tools.errors import BadInput
from tools.files import check_writable

_FILE = click.Path(path_type=Path)
FORMATS = ("huggingface", "v0", "v1", "v2")


@click.command()
@click.argument("file", type=_FILE)
def inspect(file: Path) -> None:
    """Print the content of FILE: shape, tensors, tokenizer, and features not supported."""
    model = survey(file)
    console = Console()
    console.print(f"{file}: {model.format}", markup=False, soft_wrap=True)
    sizes = Table("field", "value")
    for field, value in vars(model.shape).items():
        sizes.add_row(field, str(value))
    sizes.add_row("classifier", "shared with the embedding" if model.shared else "separate")
    console.print(sizes)
    console.print(_tensors(model))
    console.print(f"tokenizer: {_tokenizer(file, model)}", markup=False, soft_wrap=True)
    for sentence in model.refused:
        console.print(f"not supported: {sentence}", markup=False, soft_wrap=True)
    if not model.refused:
        console.print("everything in it is supported")


def _tensors(model: Survey) -> Table:
    """The tensors; the same tensor of all layers is one row."""
    table = Table("tensor", "type", "shape", "number", "bytes")
    count: Counter[tuple[str, str, tuple[int, ...]]] = Counter()
    sizes: Counter[tuple[str, str, tuple[int, ...]]] = Counter()
    for name, (kind, shape, size) in model.tensors.items():
        row = (re.sub(r"\.\d+\.", ".N.", name), kind, shape)
        count[row] += 1
        sizes[row] += size
    for row, number in count.items():
        name, kind, shape = row
        plain = name if name.isprintable() else ascii(name)
        cells = (kind, " x ".join(map(str, shape)), str(number), f"{sizes[row]:,}")
        table.add_row(plain.replace("[", r"\["), *cells)
    table.add_row("all", "", "", str(len(model.tensors)), f"{sum(sizes.values()):,}")
    return table


def _tokenizer(file: Path, model: Survey) -> str:
    try:
        tokenizer = tokenizer_of(file, model.shape.vocab)
    except BadInput as error:
        return f"none ({error})"
    chat = "with" if tokenizer.has_chat else "without"
    return f"{tokenizer.vocab} ids, {chat} a chat template"


@click.command()
@click.argument("source", type=_FILE, metavar="IN")
@click.argument("target", type=_FILE, metavar="OUT")
@click.option(
    "--to", "form", type=click.Choice(FORMATS), default="huggingface", show_default=True,
    help="A Hugging Face folder, or a llama2.c file of that version.",
)  # fmt: skip
@click.option(
    "--type", "kind", type=click.Choice(list(STORED)), default="F32", show_default=True,
    help="Number type in a Hugging Face folder.",
)  # fmt: skip
@click.option(
    "--group", type=int, default=llama2c.GROUP, show_default=True, help="Group size of v2."
)
def convert(source: Path, target: Path, form: str, kind: str, group: int) -> None:
    """Write the model IN as OUT, with its tokenizer if the format of OUT has one."""
    if form != "huggingface":
        check_writable(target, "OUT")
    checkpoint = load_checkpoint(source)
    if form == "huggingface":
        write_folder(target, checkpoint, kind, files_of(source, checkpoint.shape.vocab))
    else:
        llama2c.write(target, checkpoint, int(form[1:]), group)
    Console(stderr=True).print(f"{target}: {form}", markup=False, soft_wrap=True)
