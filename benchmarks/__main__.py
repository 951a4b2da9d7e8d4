"""``python -m benchmarks``: all figures of speed (`bench`), the growth of cost with the shape
(`growth`), and a public model (`smollm2`)."""

from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from benchmarks import report, rules, simulators, throughput, utilisation
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
#: Targets of the simulation in tokens per second, by lanes.
TOKENS_PER_S = {64: 200.0}
#: The larger shape, with random weights: configuration and positions.
LARGE, LARGE_TOKENS = "stories15m", 3


@click.group(cls=Cli)
def main() -> None:
    """Measure speed, and the growth of cost, on this machine."""


main.add_command(growth)
main.add_command(smollm2)


@main.command()
@click.argument("model", type=click.Path(path_type=Path), default=DEFAULT)
@click.option("--steps", default=256, show_default=True, help="Tokens of a text.")
@click.option("--batch", default=64, show_default=True, help="Sequences of the golden decoders.")
@click.option("--lanes", multiple=True, type=int, default=(8, 64), show_default=True)
@click.option("--rounds", default=3, show_default=True, help="Runs of each; the best counts.")
@click.option("--verilator/--no-verilator", default=True, show_default=True)
@click.option("--large/--no-large", default=True, show_default=True, help=f"Also {LARGE}'s shape.")
@click.option(
    "--rules", "only_rules", is_flag=True, help="Only the worth of each rule of sim.tune."
)
@click.option(
    "--json",
    "output",
    type=click.Path(path_type=Path),
    default=ROOT / "build" / "bench" / "bench.json",
    help="File of the rows [default: build/bench/bench.json].",
)
def bench(
    model: Path,
    steps: int,
    batch: int,
    lanes: tuple[int, ...],
    rounds: int,
    verilator: bool,
    large: bool,
    only_rules: bool,
    output: Path,
) -> None:
    """Measure MODEL, by default the model of the repository.

    Missed targets are printed; the exit code reports only errors of the measurement.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    check_writable(output, "--json")
    checkpoint = load_checkpoint(model)
    if min(steps, batch, rounds) < 1:
        raise BadInput(f"--steps {steps}, --batch {batch} and --rounds {rounds} must be positive")
    steps = min(steps, checkpoint.shape.seq_len)
    targets = all(getattr(checkpoint.shape, size) == getattr(REFERENCE, size) for size in SIZES)
    configs = [config_for(checkpoint, lanes=number) for number in lanes]
    rows: list[Row] = []
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("")

        def report_step(step: str) -> None:
            progress.update(task, description=step)

        if only_rules:
            for config in configs:
                rows += rules.rows(checkpoint, config, rounds, report_step)
            progress.stop()
            Console(width=120).print(report.table(rows))
            return
        for config in configs:
            rows += simulators.rows(
                checkpoint, config, steps, rounds, with_verilator=verilator, report=report_step,
                tokens_per_s=TOKENS_PER_S.get(config.geometry.lanes) if targets else None,
            )  # fmt: skip
        report_step("golden decoders")
        plain = config_for(checkpoint)
        rows += throughput.speeds(checkpoint, plain, steps, batch, rounds, targets=targets)
        report_step("golden decoder by context")
        rows += throughput.growth(checkpoint, plain, batch, rounds)
        for number, config in enumerate(configs):
            report_step(f"cycles at {config.geometry.lanes} lanes")
            rows += utilisation.rows(checkpoint, config, steps, full=number == 0)
        if large:
            report_step(f"cycles of {LARGE}'s shape")
            rows += utilisation.random_rows(named(LARGE), LARGE_TOKENS)
    Console(width=120).print(report.table(rows))
    report.write(output, rows)


if __name__ == "__main__":
    main(prog_name="python -m benchmarks")
