"""``python -m golden``: inspect, convert, calibrate, quantise, and measure the accuracy."""

import dataclasses
import json
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from golden import accuracy as accuracy_of
from golden.calibrate import NUMERICS, config_for, content_hash, ranges_of
from golden.checkpoint import Checkpoint
from golden.checkpoints import DEFAULT, load_checkpoint
from golden.image import save
from golden.model_files import convert, inspect
from golden.progress import Steps, calibrating
from golden.quantise import quantise
from golden.ranges import explain, numerics_for, positions_for
from golden.tokenizers import tokenizer_of
from spec.config import CONFIGS, LANES, Config, Numerics, RopeBy
from tools.cli import Cli
from tools.errors import BadInput
from tools.files import check_writable
from tools.provenance import provenance

_stderr = Console(stderr=True)

_checkpoint = click.argument(
    "checkpoint", metavar="[MODEL]", type=click.Path(path_type=Path), default=DEFAULT
)
_numerics = click.option("--numerics", type=click.Choice(NUMERICS), default="default")
_lanes = click.option("--lanes", type=click.Choice([str(n) for n in LANES]), default=None)
_rope = click.option("--rope", type=click.Choice([rope_by.value for rope_by in RopeBy]))


def _config(checkpoint: Checkpoint, lanes: str | None, numerics: str, rope: str | None) -> Config:
    number = int(lanes) if lanes else None
    progress = calibrating(checkpoint)
    config = config_for(checkpoint, lanes=number, numerics=numerics, progress=progress)
    return config if rope is None else config.with_rope(RopeBy(rope))


@click.group(cls=Cli)
def main() -> None:
    """Inspect models, quantise them, and measure the fixed-point decoder against float."""


main.add_command(inspect)
main.add_command(convert)


@main.command()
@_checkpoint
@click.option("--steps", type=int, default=None, help="Positions to evaluate.")
def calibrate(checkpoint: Path, steps: int | None) -> None:
    """Print the format that calibration chooses for each tensor of MODEL."""
    model = load_checkpoint(checkpoint)
    most = model.shape.seq_len
    if steps is not None and not 1 <= steps <= most:
        raise BadInput(f"--steps = {steps} must be 1 to {most}, the model's seq_len")
    count = steps or positions_for(model)
    seen = ranges_of(model, count, content_hash(model), calibrating(model, count))
    numerics = numerics_for(seen, Numerics())
    table = Table("tensor", "format", "largest seen", "largest", "step")
    for field in dataclasses.fields(numerics):
        form = getattr(numerics, field.name)
        if hasattr(form, "scale"):
            largest = f"{seen.largest[field.name]:.4g}" if field.name in seen.largest else "-"
            table.add_row(
                field.name, str(form), largest,
                f"{form.max / form.scale:.4g}", f"{1 / form.scale:.3g}",
            )  # fmt: skip
    console = Console()
    console.print(table)
    for sentence in explain(seen, numerics):
        console.print(sentence, soft_wrap=True)


@main.command("quantise")
@_checkpoint
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
@_lanes
@_numerics
@_rope
def quantise_command(
    checkpoint: Path, output: Path, lanes: str | None, numerics: str, rope: str | None
) -> None:
    """Write the weight image of MODEL, in schedule order and with its formats."""
    check_writable(output, "--output")
    model = load_checkpoint(checkpoint)
    config = _config(model, lanes, numerics, rope)
    save(output, quantise(model, config))
    _stderr.print(f"{output}: {config.describe()}, {_formats(config)}")


def _formats(config: Config) -> str:
    """The weight width of `config`, and the origin of its formats."""
    bits = config.numerics.weight_bits
    named = CONFIGS.get(config.name)
    numerics = dataclasses.replace(config.numerics, weight_bits=16, rope_by=RopeBy.TABLE)
    same = named and named.numerics == numerics
    origin = f"formats of {config.name}" if same else "calibrated formats"
    return f"{bits}-bit weights, {origin}"


@main.command()
@_checkpoint
@click.option("--steps", type=int, default=256, show_default=True)
@click.option("--prompt", "prompts", multiple=True, help="Text to begin with; a result row each.")
@click.option("--chat", "chats", multiple=True, help="Message of a user; a result row each.")
@_numerics
@_rope
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def accuracy(
    checkpoint: Path,
    steps: int,
    prompts: tuple[str, ...],
    chats: tuple[str, ...],
    numerics: str,
    rope: str | None,
    as_json: bool,
) -> None:
    """Compare the fixed-point decoder with float along the model's own greedy text.

    Prompts need the tokenizer in or beside MODEL.
    """
    model = load_checkpoint(checkpoint)
    ids: dict[str, list[int]] = {}
    if prompts or chats:
        tokenizer = tokenizer_of(checkpoint, model.shape.vocab)
        ids |= {text: tokenizer.encode(text) for text in prompts}
        ids |= {text: tokenizer.chat([{"role": "user", "content": text}]) for text in chats}
    ids = ids or {"": []}
    longest = max(1, *map(len, ids.values()))
    most = model.shape.seq_len + 1 - longest
    if not 1 <= steps <= most:
        raise BadInput(f"--steps = {steps} must be 1 to {most}: the model's seq_len allows no more")
    config = _config(model, None, numerics, rope)
    progress = Steps(longest - 1 + steps, "measuring")
    measured = accuracy_of.along(
        model, quantise(model, config), steps, list(ids.values()), progress
    )
    results = dict(zip(ids, measured, strict=True))
    if as_json:
        plain = {text: dataclasses.asdict(result) for text, result in results.items()}
        one = {**provenance(), "model": checkpoint.stem, **plain[""]} if "" in plain else plain
        click.echo(json.dumps(one, indent=2))
        return
    _print_accuracy(results)


def _print_accuracy(results: dict[str, accuracy_of.Accuracy]) -> None:
    console = Console()
    summary = Table("text", "steps", "KL mean, nats", "KL max", "perplexity", "greedy equal")
    summary.add_column("first mismatch")
    for text, result in results.items():
        summary.add_row(
            text,
            str(result.steps),
            f"{result.kl_mean:.2e}",
            f"{result.kl_max:.2e}",
            f"{result.perplexity_ratio - 1:+.4%}",
            f"{result.greedy_equal} of {result.steps}",
            "none" if result.first_mismatch is None else str(result.first_mismatch),
        )
    console.print(summary)
    result = next(iter(results.values()))
    table = Table("tensor", "worst error", "largest value", "saturated")
    for name, error in result.tensors.items():
        saturated = f"{result.saturated.get(name, 0):,}"
        table.add_row(name, f"{error.worst:.3g}", f"{error.largest:.4g}", saturated)
    table.add_row("attention", "-", "-", f"{result.saturated.get('attention', 0):,}")
    console.print(table)


if __name__ == "__main__":
    main(prog_name="python -m golden")
