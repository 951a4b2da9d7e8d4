"""``python -m golden``: inspect, convert, calibrate, quantise, measure what fixed point costs."""

import dataclasses
import json
from pathlib import Path

import click
from rich.console import Console
from rich.progress import track
from rich.table import Table

from design.cli import Cli, describe
from design.config import CONFIGS, LANES, Config
from design.errors import BadInput
from design.files import check_writable
from golden import accuracy as accuracy_of
from golden.calibrate import NUMERICS, calibrated, config_for
from golden.checkpoint import Checkpoint
from golden.checkpoints import load_checkpoint
from golden.image import save
from golden.model_files import convert, inspect
from golden.quantise import quantise

_stderr = Console(stderr=True)

_checkpoint = click.argument("checkpoint", type=click.Path(path_type=Path))
_numerics = click.option("--numerics", type=click.Choice(NUMERICS), default="default")
_lanes = click.option("--lanes", type=click.Choice([str(n) for n in LANES]), default=None)


class _Progress:
    """A progress callback over `total` steps, shown on stderr."""

    def __init__(self, total: int, what: str):
        self._steps = iter(track(range(total), what, console=_stderr, transient=True))
        next(self._steps)

    def __call__(self, done: int) -> None:
        next(self._steps, None)


def _config(checkpoint: Checkpoint, lanes: str | None, numerics: str) -> Config:
    progress = _Progress(checkpoint.shape.seq_len, "calibrating")
    number = int(lanes) if lanes else None
    return config_for(checkpoint, lanes=number, numerics=numerics, progress=progress)


@click.group(cls=Cli)
def main() -> None:
    """Look at models, quantise them, and measure the fixed-point decoder against float."""


main.add_command(inspect)
main.add_command(convert)


@main.command()
@_checkpoint
@click.option("--steps", type=int, default=None, help="Positions to look at (default: all).")
def calibrate(checkpoint: Path, steps: int | None) -> None:
    """Print the format per tensor that CHECKPOINT wants."""
    read = load_checkpoint(checkpoint)
    most = read.shape.seq_len
    if steps is not None and not 1 <= steps <= most:
        raise BadInput(f"--steps = {steps} must be 1 to {most}, the model's seq_len")
    config = calibrated(
        read, config_for(read), steps, progress=_Progress(steps or most, "calibrating")
    )
    table = Table("tensor", "format", "largest", "step")
    for field in dataclasses.fields(config.numerics):
        form = getattr(config.numerics, field.name)
        if hasattr(form, "scale"):
            table.add_row(
                field.name, str(form), f"{form.max / form.scale:.4g}", f"{1 / form.scale:.3g}"
            )
    Console().print(table)


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
        read, quantise(read, config), steps, progress=_Progress(steps, "measuring")
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
    table = Table("tensor", "worst error", "largest value")
    for name, error in result.tensors.items():
        table.add_row(name, f"{error.worst:.3g}", f"{error.largest:.4g}")
    console.print(table)


if __name__ == "__main__":
    main(prog_name="python -m golden")
