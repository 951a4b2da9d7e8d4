"""``python -m golden``: inspect, convert, calibrate, quantise, measure what fixed point costs."""

import dataclasses
import json
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from design.cli import Cli, describe
from design.config import CONFIGS, LANES, Config, Numerics
from design.errors import BadInput
from design.files import check_writable
from golden import accuracy as accuracy_of
from golden.calibrate import NUMERICS, config_for, content_hash, ranges_of
from golden.checkpoint import Checkpoint
from golden.checkpoints import load_checkpoint
from golden.image import save
from golden.model_files import convert, inspect
from golden.progress import Steps, calibrating
from golden.quantise import quantise
from golden.ranges import explain, numerics_for, positions_for

_stderr = Console(stderr=True)

_checkpoint = click.argument("checkpoint", type=click.Path(path_type=Path))
_numerics = click.option("--numerics", type=click.Choice(NUMERICS), default="default")
_lanes = click.option("--lanes", type=click.Choice([str(n) for n in LANES]), default=None)


def _config(checkpoint: Checkpoint, lanes: str | None, numerics: str) -> Config:
    number = int(lanes) if lanes else None
    return config_for(checkpoint, lanes=number, numerics=numerics, progress=calibrating(checkpoint))


@click.group(cls=Cli)
def main() -> None:
    """Look at models, quantise them, and measure the fixed-point decoder against float."""


main.add_command(inspect)
main.add_command(convert)


@main.command()
@_checkpoint
@click.option("--steps", type=int, default=None, help="Positions to look at.")
def calibrate(checkpoint: Path, steps: int | None) -> None:
    """Print the format per tensor that CHECKPOINT wants."""
    read = load_checkpoint(checkpoint)
    most = read.shape.seq_len
    if steps is not None and not 1 <= steps <= most:
        raise BadInput(f"--steps = {steps} must be 1 to {most}, the model's seq_len")
    count = steps or positions_for(read)
    seen = ranges_of(read, count, content_hash(read), calibrating(read, count))
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
def quantise_command(checkpoint: Path, output: Path, lanes: str | None, numerics: str) -> None:
    """Write the weight image of CHECKPOINT, in schedule order and with its formats."""
    check_writable(output, "--output")
    read = load_checkpoint(checkpoint)
    config = _config(read, lanes, numerics)
    save(output, quantise(read, config))
    _stderr.print(f"{output}: {describe(config)}, {_formats(config)}")


def _formats(config: Config) -> str:
    """What the numbers of `config` are, and where they come from."""
    bits = config.numerics.weight_bits
    named = CONFIGS.get(config.name)
    same = named and named.numerics == dataclasses.replace(config.numerics, weight_bits=16)
    origin = f"formats of {config.name}" if same else "calibrated formats"
    return f"{bits}-bit weights, {origin}"


@main.command()
@_checkpoint
@click.option("--steps", type=int, default=256, show_default=True)
@_numerics
@click.option("--json", "as_json", is_flag=True, help="Print JSON in place of tables.")
def accuracy(checkpoint: Path, steps: int, numerics: str, as_json: bool) -> None:
    """Compare the fixed-point decoder with float along the model's own greedy text."""
    read = load_checkpoint(checkpoint)
    if not 1 <= steps <= read.shape.seq_len:
        raise BadInput(f"--steps = {steps} must be 1 to {read.shape.seq_len}, the model's seq_len")
    config = _config(read, None, numerics)
    result = accuracy_of.measure(
        read, quantise(read, config), steps, progress=Steps(steps, "measuring")
    )
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(result), indent=2))
        return
    console = Console()
    mismatch = "none" if result.first_mismatch is None else str(result.first_mismatch)
    summary = Table("steps", "KL mean, nats", "KL max", "perplexity", "first greedy mismatch")
    summary.add_row(
        str(steps),
        f"{result.kl_mean:.2e}",
        f"{result.kl_max:.2e}",
        f"{result.perplexity_ratio - 1:+.4%}",
        mismatch,
    )
    console.print(summary)
    table = Table("tensor", "worst error", "largest value", "saturated")
    for name, error in result.tensors.items():
        saturated = f"{result.saturated.get(name, 0):,}"
        table.add_row(name, f"{error.worst:.3g}", f"{error.largest:.4g}", saturated)
    for name in sorted(result.saturated.keys() - result.tensors.keys()):
        table.add_row(name, "-", "-", f"{result.saturated[name]:,}")
    console.print(table)


if __name__ == "__main__":
    main(prog_name="python -m golden")
