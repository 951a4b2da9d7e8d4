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
#: Of the JSON; goes up when a reader of it would have to change.
SCHEMA = 1
#: The axis whose tokens the latencies are fitted to: every latency shows on some of its lanes.
FITTED = "lanes"
#: What is carried on, and to how many lanes.
MODELS = ("llama2_7b", "llama2_13b", "llama2_70b")
LANES = (64, 256, 1024, 4096, 16384)
#: The axes over which proofs are timed, and the values.
PROOF_AXES = {"context": (32, 128, 512), "dim": (32, 128, 512)}
#: What is measured of a shape.
QUANTITIES: dict[str, Callable[[Measured], float]] = {
    "cycles, first token": lambda measured: measured.cycles[0],
    "cycles, end of context": lambda measured: measured.cycles[-1],
    "elaboration, s": lambda measured: measured.elaboration,
    "yosys, s": lambda measured: measured.yosys,
    "g++, s": lambda measured: measured.compilation,
    "simulation, cycles/s": lambda measured: measured.cycles_per_s,
    "golden, tokens/s": lambda measured: measured.golden_tokens_per_s,
}
#: What an axis has nothing to do with: the first token sees no context, a larger model's last one
#: is not simulated, and the golden decoder has no lanes.
APART = {
    "dim": {"cycles, end of context"},
    "layers": {"cycles, end of context"},
    "context": {"cycles, first token"},
    "lanes": {"cycles, end of context", "golden, tokens/s"},
}

#: By axis and quantity: the points, and the law through them.
Grown = dict[str, dict[str, tuple[Points, fit.Law]]]


@click.command()
@click.option(
    "--bandwidth",
    "bandwidths",
    multiple=True,
    type=float,
    default=(4, 20, 100, 400),
    show_default=True,
    help="Of the memory, in GB/s.",
)
@click.option("--mhz", type=float, default=100.0, show_default=True, help="The clock.")
@click.option("--position", default=2047, show_default=True, help="Of the token carried on to.")
@click.option("--with-proofs/--no-proofs", default=True, show_default=True)
@click.option(
    "--write",
    "docs",
    is_flag=False,
    flag_value=ROOT / "docs",
    default=None,
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Renew the tables of scaling.md in this folder [when no folder is named: docs].",
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
    """Measure how cost grows with the shape, and carry it on to 7B, 13B and 70B."""
    memories = [Memory(bandwidth=bandwidth, mhz=mhz) for bandwidth in bandwidths]
    longest = min(named(name).shape.seq_len for name in MODELS)
    if not 0 <= position < longest:
        raise BadInput(f"--position {position} must be 0 to {longest - 1}")
    if docs and not with_proofs:
        raise BadInput("--write wants the whole page, --no-proofs leaves a part out")
    output.mkdir(parents=True, exist_ok=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("")

        def say(what: str) -> None:
            progress.update(task, description=what)

        measured = _measure(say)
        grown = _grown(measured)
        if with_proofs:
            _prove(grown, output, say)
        say("fitting")
        tokens = {config: fit.samples(config, each.cycles) for config, each in measured.items()}
        fitted = [each for config in sweep.AXES[FITTED].values() for each in tokens[config]]
        latencies = fit.latencies(fitted)
        found = _carried_on(memories, position, latencies)
    every = [token for config in measured for token in tokens[config]]
    laws = [(axis, what, law) for axis, row in grown.items() for what, (_, law) in row.items()]
    results = [
        sheets.latency(latencies),
        sheets.cycles(every, fitted, latencies),
        sheets.laws(laws),
        sheets.balance(memories, WEIGHT_BITS),
        sheets.outlooks(found),
    ]
    console = Console(width=120)
    for sheet in results:
        console.print(sheet.table())
    _write_json(output / "growth.json", measured.values(), latencies, grown, found)
    _plot(output, measured, latencies, grown, found)
    if docs:
        page.fill(docs / "scaling.md", {sheet.name: sheet.markdown() for sheet in results})


Measurements = dict[sweep.Config, Measured]


def _measure(say: Callable[[str], None]) -> Measurements:
    configs = [*sweep.configs(sweep.AXES), *sweep.OTHERS]
    measured = {}
    for number, config in enumerate(configs, 1):
        shape, lanes = config.shape, config.geometry.lanes
        say(
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


def _prove(grown: Grown, output: Path, say: Callable[[str], None]) -> None:
    for axis, values in PROOF_AXES.items():
        configs = {value: sweep.AXES[axis][value] for value in values}
        for id in proofs.IDS:
            points = {}
            for value, config in configs.items():
                say(f"proof of {id} at {axis} {value}")
                outcome = proofs.prove(id, config, output / f"{id}-{axis}-{value}")
                if outcome.status == "PASS":
                    points[value] = outcome.seconds
                else:
                    click.echo(f"{id} at {axis} {value}: {outcome.status}, left out", err=True)
            if len(points) > 1:
                law = fit.law(list(points), list(points.values()))
                grown[axis][f"proof {id}, s"] = (points, law)


def _carried_on(memories: list[Memory], position: int, latencies: Latencies) -> list[Outlook]:
    return [
        outlook(imagined(named(name), lanes, bits), position, memory, latencies)
        for name in MODELS
        for bits in sorted(WEIGHT_BITS, reverse=True)
        for lanes in LANES
        for memory in memories
    ]


def _plot(
    folder: Path, measured: Measurements, latencies: Latencies, grown: Grown, found: list[Outlook]
) -> None:
    sweeps = {
        axis: [measured[config] for config in configs.values()]
        for axis, configs in sweep.AXES.items()
    }
    plots.cycles(folder / "scaling-cycles.svg", sweeps, latencies)
    plots.growth(folder / "scaling-growth.svg", grown)
    widest = max(WEIGHT_BITS)
    shown = [each for each in found if each.config.numerics.weight_bits == widest]
    plots.limits(folder / "scaling-limits.svg", shown)


def _write_json(
    path: Path,
    measured: Iterable[Measured],
    latencies: Latencies,
    grown: Grown,
    found: list[Outlook],
) -> None:
    content: dict[str, Any] = {
        "schema": SCHEMA,
        "latencies": dataclasses.asdict(latencies),
        "measured": [sweep.as_json(each) for each in measured],
        "growth": {
            axis: {
                what: {"points": points, **dataclasses.asdict(law)}
                for what, (points, law) in row.items()
            }
            for axis, row in grown.items()
        },
        "outlook": [
            {
                "model": each.config.name,
                "weight_bits": each.config.numerics.weight_bits,
                "lanes": each.config.geometry.lanes,
                "position": each.pos,
                **dataclasses.asdict(each.memory),
                "cycles": each.cycles,
                "tokens_per_s": each.tokens_per_s,
                "limit": each.limit,
                "shares": each.shares,
            }
            for each in found
        ],
    }
    write_atomically(path, json.dumps(content, indent=2) + "\n")
