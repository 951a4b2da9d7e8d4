"""``python -m benchmarks``: every figure of speed (`bench`), how cost grows (`growth`), and a model
that people use (`smollm2`)."""

from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from benchmarks import report, simulators, throughput, utilisation
from benchmarks.growth.command import growth
from benchmarks.report import Row
from benchmarks.smollm2.command import smollm2
from golden.calibrate import config_for
from golden.checkpoints import DEFAULT, load_checkpoint
from spec.config import CONFIGS, named
from spec.shape import SIZES
from tools.cli import Cli
from tools.errors import BadInput
from tools.files import check_writable

ROOT = Path(__file__).parent.parent
#: What has targets: the sizes of stories260K, which tales260k has, too.
REFERENCE = CONFIGS["stories260k"].shape
#: Tokens per second that are asked of the simulation, by lanes.
TOKENS_PER_S = {64: 200.0}
#: The larger shape, with random weights: configuration and positions.
LARGE, LARGE_TOKENS = "stories15m", 3


@click.group(cls=Cli)
def main() -> None:
    """Speed and how cost grows, measured on this machine."""


main.add_command(growth)
main.add_command(smollm2)


@main.command()
@click.argument("model", type=click.Path(path_type=Path), default=DEFAULT)
@click.option("--steps", default=256, show_default=True, help="Tokens of a text.")
@click.option("--batch", default=64, show_default=True, help="Sequences of the golden decoders.")
@click.option("--lanes", multiple=True, type=int, default=(8, 64), show_default=True)
@click.option("--rounds", default=3, show_default=True, help="Turns of each; the best one counts.")
@click.option("--verilator/--no-verilator", default=True, show_default=True)
@click.option("--large/--no-large", default=True, show_default=True, help=f"{LARGE}'s shape too.")
@click.option(
    "--json",
    "output",
    type=click.Path(path_type=Path),
    default=ROOT / "build" / "bench" / "bench.json",
    help="Where the rows go [default: build/bench/bench.json].",
)
def bench(
    model: Path,
    steps: int,
    batch: int,
    lanes: tuple[int, ...],
    rounds: int,
    verilator: bool,
    large: bool,
    output: Path,
) -> None:
    """Measure all on MODEL, by default the one that comes with the repository.

    Missed targets are shown; the exit code says only whether the measuring worked.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    check_writable(output, "--json")
    read = load_checkpoint(model)
    if min(steps, batch, rounds) < 1:
        raise BadInput(f"--steps {steps}, --batch {batch} and --rounds {rounds} must be positive")
    steps = min(steps, read.shape.seq_len)
    targets = all(getattr(read.shape, size) == getattr(REFERENCE, size) for size in SIZES)
    configs = [config_for(read, lanes=number) for number in lanes]
    rows: list[Row] = []
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("")

        def say(what: str) -> None:
            progress.update(task, description=what)

        for config in configs:
            rows += simulators.rows(
                read, config, steps, rounds, with_verilator=verilator, say=say,
                tokens_per_s=TOKENS_PER_S.get(config.geometry.lanes) if targets else None,
            )  # fmt: skip
        say("golden decoders")
        plain = config_for(read)
        rows += throughput.speeds(read, plain, steps, batch, rounds, targets=targets)
        say("golden decoder by context")
        rows += throughput.growth(read, plain, batch, rounds)
        for number, config in enumerate(configs):
            say(f"cycles at {config.geometry.lanes} lanes")
            rows += utilisation.rows(read, config, steps, full=number == 0)
        if large:
            say(f"cycles of {LARGE}'s shape")
            rows += utilisation.random_rows(named(LARGE), LARGE_TOKENS)
    Console(width=120).print(report.table(rows))
    report.write(output, rows)


if __name__ == "__main__":
    main(prog_name="python -m benchmarks")
