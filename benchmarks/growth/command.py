"""``python -m benchmarks growth``: measure, fit, extrapolate, plot."""

import dataclasses
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from benchmarks.growth import fit, page, plots, proofs, sheets, sweep
from benchmarks.growth.cycles import Latencies
from benchmarks.growth.limits import Memory, Outlook, imagined, outlook
from benchmarks.growth.plots import Points
from benchmarks.growth.sweep import Measured
from spec.config import WEIGHT_BITS, named
from tools.errors import BadInput
from tools.files import write_atomically

ROOT = Path(__file__).parent.parent.parent
#: Version of the JSON; incremented for incompatible changes.
SCHEMA = 1
#: The axis to whose tokens the latencies are fitted: each latency is visible at some of its lanes.
FITTED = "lanes"
#: The models of the extrapolation, and their lanes.
MODELS = ("llama2_7b", "llama2_13b", "llama2_70b")
LANES = (64, 256, 1024, 4096, 16384)
#: The axes along which proofs are timed, and their values.
PROOF_AXES = {"context": (32, 128, 512), "dim": (32, 128, 512)}
#: The measured quantities of a shape.
QUANTITIES: dict[str, Callable[[Measured], float]] = {
    "cycles, first token": lambda measured: measured.cycles[0],
    "cycles, end of context": lambda measured: measured.cycles[-1],
    "elaboration, s": lambda measured: measured.elaboration,
    "yosys, s": lambda measured: measured.yosys,
    "g++, s": lambda measured: measured.compilation,
    "simulation, cycles/s": lambda measured: measured.cycles_per_s,
    "golden, tokens/s": lambda measured: measured.golden_tokens_per_s,
}
#: Quantities that are omitted for an axis: the first token has no context, the last token of larger
#: models is not simulated, and the golden decoder has no lanes.
APART = {
    "dim": {"cycles, end of context"},
    "layers": {"cycles, end of context"},
    "context": {"cycles, first token"},
    "lanes": {"cycles, end of context", "golden, tokens/s"},
}

#: By axis and quantity: the points, and the law fitted to them.
Grown = dict[str, dict[str, tuple[Points, fit.Law]]]


@click.command()
@click.option(
    "--bandwidth",
    "bandwidths",
    multiple=True,
    type=float,
    default=(4, 20, 100, 400),
    show_default=True,
    help="Bandwidth of the memory in GB/s.",
)
@click.option("--mhz", type=float, default=100.0, show_default=True, help="The clock.")
@click.option(
    "--position", default=2047, show_default=True, help="Position of the extrapolated token."
)
@click.option("--with-proofs/--no-proofs", default=True, show_default=True)
@click.option(
    "--write",
    "docs",
    is_flag=False,
    flag_value=ROOT / "docs",
    default=None,
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Update the tables of scaling.md in this folder [without a folder: docs].",
)
@click.option(
    "--output", type=click.Path(path_type=Path, file_okay=False), default=ROOT / "build" / "growth",
    help="Folder of growth.json and the plots [default: build/growth].",
)  # fmt: skip
def growth(
    bandwidths: tuple[float, ...],
    mhz: float,
    position: int,
    with_proofs: bool,
    docs: Path | None,
    output: Path,
) -> None:
    """Measure how cost grows with the shape, and extrapolate to 7B, 13B and 70B."""
    memories = [Memory(bandwidth=bandwidth, mhz=mhz) for bandwidth in bandwidths]
    longest = min(named(name).shape.seq_len for name in MODELS)
    if not 0 <= position < longest:
        raise BadInput(f"--position {position} must be 0 to {longest - 1}")
    if docs and not with_proofs:
        raise BadInput("--write needs all tables, but --no-proofs omits one")
    output.mkdir(parents=True, exist_ok=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("")

        def report_step(step: str) -> None:
            progress.update(task, description=step)

        measured = _measure(report_step)
        grown = _grown(measured)
        if with_proofs:
            _prove(grown, output, report_step)
        report_step("fitting")
        tokens = {config: fit.samples(config, shape.cycles) for config, shape in measured.items()}
        fitted = [token for config in sweep.AXES[FITTED].values() for token in tokens[config]]
        latencies = fit.latencies(fitted)
        outlooks = _extrapolated(memories, position, latencies)
    all_tokens = [token for config in measured for token in tokens[config]]
    laws = [
        (axis, quantity, law) for axis, row in grown.items() for quantity, (_, law) in row.items()
    ]
    results = [
        sheets.latency(latencies),
        sheets.cycles(all_tokens, fitted, latencies),
        sheets.laws(laws),
        sheets.balance(memories, WEIGHT_BITS),
        sheets.outlooks(outlooks),
    ]
    console = Console(width=120)
    for sheet in results:
        console.print(sheet.table())
    _write_json(output / "growth.json", measured.values(), latencies, grown, outlooks)
    _plot(output, measured, latencies, grown, outlooks)
    if docs:
        page.fill(docs / "scaling.md", {sheet.name: sheet.markdown() for sheet in results})


Measurements = dict[sweep.Config, Measured]


def _measure(report: Callable[[str], None]) -> Measurements:
    configs = [*sweep.configs(sweep.AXES), *sweep.OTHERS]
    measured = {}
    for number, config in enumerate(configs, 1):
        shape, lanes = config.shape, config.geometry.lanes
        report(
            f"shape {number} of {len(configs)}: dim {shape.dim}, {shape.layers} layers,"
            f" context {shape.seq_len}, {lanes} lanes"
        )
        measured[config] = sweep.measure(config)
    return measured


def _grown(measured: Measurements) -> Grown:
    grown: Grown = {}
    for axis, configs in sweep.AXES.items():
        grown[axis] = {}
        for quantity, of in QUANTITIES.items():
            if quantity in APART[axis]:
                continue
            points = {value: of(measured[config]) for value, config in configs.items()}
            grown[axis][quantity] = (points, fit.law(list(points), list(points.values())))
    return grown


def _prove(grown: Grown, output: Path, report: Callable[[str], None]) -> None:
    for axis, values in PROOF_AXES.items():
        configs = {value: sweep.AXES[axis][value] for value in values}
        for id in proofs.IDS:
            points = {}
            for value, config in configs.items():
                report(f"proof of {id} at {axis} {value}")
                outcome = proofs.prove(id, config, output / f"{id}-{axis}-{value}")
                if outcome.status == "PASS":
                    points[value] = outcome.seconds
                else:
                    click.echo(f"{id} at {axis} {value}: {outcome.status}, left out", err=True)
            if len(points) > 1:
                law = fit.law(list(points), list(points.values()))
                grown[axis][f"proof {id}, s"] = (points, law)


def _extrapolated(memories: list[Memory], position: int, latencies: Latencies) -> list[Outlook]:
    return [
        outlook(imagined(named(name), lanes, bits), position, memory, latencies)
        for name in MODELS
        for bits in sorted(WEIGHT_BITS, reverse=True)
        for lanes in LANES
        for memory in memories
    ]


def _plot(
    folder: Path,
    measured: Measurements,
    latencies: Latencies,
    grown: Grown,
    outlooks: list[Outlook],
) -> None:
    sweeps = {
        axis: [measured[config] for config in configs.values()]
        for axis, configs in sweep.AXES.items()
    }
    plots.cycles(folder / "scaling-cycles.svg", sweeps, latencies)
    plots.growth(folder / "scaling-growth.svg", grown)
    widest = max(WEIGHT_BITS)
    shown = [token for token in outlooks if token.config.numerics.weight_bits == widest]
    plots.limits(folder / "scaling-limits.svg", shown)


def _write_json(
    path: Path,
    measured: Iterable[Measured],
    latencies: Latencies,
    grown: Grown,
    outlooks: list[Outlook],
) -> None:
    content: dict[str, Any] = {
        "schema": SCHEMA,
        "latencies": dataclasses.asdict(latencies),
        "measured": [sweep.as_json(shape) for shape in measured],
        "growth": {
            axis: {
                quantity: {"points": points, **dataclasses.asdict(law)}
                for quantity, (points, law) in row.items()
            }
            for axis, row in grown.items()
        },
        "outlook": [
            {
                "model": token.config.name,
                "weight_bits": token.config.numerics.weight_bits,
                "lanes": token.config.geometry.lanes,
                "position": token.pos,
                **dataclasses.asdict(token.memory),
                "cycles": token.cycles,
                "tokens_per_s": token.tokens_per_s,
                "limit": token.limit,
                "shares": token.shares,
            }
            for token in outlooks
        ],
    }
    write_atomically(path, json.dumps(content, indent=2) + "\n")
