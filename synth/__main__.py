"""``python -m synth``: resources and speed on real devices, and the mapping of memories."""

import contextlib
import dataclasses
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from design.options import rope_option, with_options
from spec.config import LANES, Config, named
from synth import page, report
from synth.area import LIMIT, measure
from synth.baseline import read_baseline, write_baseline
from synth.devices import DEVICES, device_named
from synth.gate import CONFIGS, judge_all, judge_bugs, required
from synth.tools import BUILD, Report, warm_up
from tools.cli import Cli
from tools.files import check_writable, write_atomically
from tools.provenance import provenance

#: The default configurations to measure, and their lanes (None: those of the configuration).
MEASURED: dict[str, tuple[int | None, ...]] = {"nano": (None,), "stories260k": (8, 64)}


def _console() -> Console:
    # Without a terminal, rich would wrap at 80 columns and truncate names in logs.
    return Console(width=None if sys.stdout.isatty() else 140)


@contextlib.contextmanager
def _progress() -> Iterator[Report]:
    """Report on stderr the running step and the last line of its tool; in a log, only the steps."""
    console = Console(stderr=True)
    if not console.is_terminal:
        printed: list[str] = []

        def line(step: str, _: str) -> None:
            if printed[-1:] != [step]:
                printed.append(step)
                click.echo(f"{step} ...", err=True)

        yield line
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("")
        steps: list[str] = []

        def show(step: str, output: str) -> None:
            if steps[-1:] != [step]:
                steps.append(step)
                progress.reset(task)
            width = max(0, console.width - len(step) - 20)
            progress.update(task, description=f"{step} [dim]{escape(output[:width])}[/]")

        yield show


def _cases(configs: tuple[str, ...], lanes: tuple[str, ...], rope: str | None) -> list[Config]:
    """The selected decoders."""
    chosen = []
    for name in configs or tuple(MEASURED):
        config = with_options(named(name), rope=rope)
        if rope is not None:  # not to be compared with the baseline
            config = dataclasses.replace(config, name=f"{name}_{rope}")
        default = MEASURED.get(name, (None,)) if not configs else (None,)
        for number in tuple(map(int, lanes)) or default:
            chosen.append(config if number is None else config.with_lanes(number))
    return chosen


def _warm_up(*, places: bool) -> None:
    def announce(text: str) -> None:
        click.echo(text, err=True)

    warm_up("yosys", announce)
    if places:
        warm_up("nextpnr-ecp5", announce)


@click.group(cls=Cli)
def main() -> None:
    """Resources and speed of the decoder on real devices, and the mapping of its memories."""


@main.command()
@click.option("--config", "configs", multiple=True, help="A named configuration; repeatable.")
@click.option("--lanes", multiple=True, type=click.Choice([str(n) for n in LANES]))
@rope_option
@click.option(
    "--device", "devices", multiple=True, help=f"One of {', '.join(DEVICES)}; repeatable."
)
@click.option("--seed", default=2, show_default=True, help="Seed of the placer.")
@click.option(
    "--limit",
    type=click.FloatRange(min=0, min_open=True),
    default=LIMIT / 60,
    show_default=True,
    help="Minutes after which place and route is stopped.",
)
@click.option("--critical-path", is_flag=True, help="Print the hops of the longest paths.")
@click.option("--paths", default=3, show_default=True, help="Number of longest paths printed.")
@click.option("--write-baseline", "update", is_flag=True, help="Make these figures the baseline.")
@click.option("--strict", is_flag=True, help="Exit code 1 when a target is missed.")
@click.option("--json", "output", type=click.Path(path_type=Path), help="Write the records here.")
@click.option(
    "--markdown", type=click.Path(path_type=Path), help="Write the table here, for a comment."
)
def area(
    configs: tuple[str, ...],
    lanes: tuple[str, ...],
    rope: str | None,
    devices: tuple[str, ...],
    seed: int,
    limit: float,
    critical_path: bool,
    paths: int,
    update: bool,
    strict: bool,
    output: Path | None,
    markdown: Path | None,
) -> int:
    """Measure LUTs, flip-flops, DSPs, block RAMs, fmax and tokens per second.

    By default for nano, and for stories260k with 8 and 64 lanes. ECP5 is placed and routed; the
    other devices are estimates by yosys.
    """
    check_writable(output, "--json")
    check_writable(markdown, "--markdown")
    cases = _cases(configs, lanes, rope)
    targets = [device_named(name) for name in devices or tuple(DEVICES)]
    _warm_up(places=any(device.nextpnr for device in targets))
    baseline = read_baseline()
    with _progress() as show:
        records: list[dict[str, Any]] = [
            measure(config, device, seed, show, 60 * limit)
            for config in cases
            for device in targets
        ]
    report.write_json(output or BUILD / "area.json", {**provenance(), "records": records})
    console = _console()
    report.print_costs(console, records, baseline)
    if markdown:
        report.write_markdown(markdown, records, baseline)
    for record in records:
        if "paths" in record:
            report.print_paths(console, record, paths, hops=critical_path)
    if update:
        write_baseline(records)
    return 1 if strict and any(map(report.misses, records)) else 0


@main.command()
@click.option("--config", "configs", multiple=True, help="A named configuration; repeatable.")
@click.option("--lanes", multiple=True, type=click.Choice([str(n) for n in LANES]))
@rope_option
@click.option("--bug", "only_bug", is_flag=True, help="Only plant the second reader.")
@click.option("--list", "listed", is_flag=True, help="Only print the required netlists, as JSON.")
def ports(
    configs: tuple[str, ...],
    lanes: tuple[str, ...],
    rope: str | None,
    only_bug: bool,
    listed: bool,
) -> int:
    """Compare the memories of the synthesised netlists with those that its units declare.

    Exit code 0 only if each memory exists with the declared ports, in the smallest RAM that holds
    it, and a planted second reader is detected; 1 otherwise.
    """
    if listed:
        click.echo(json.dumps(sorted(required())))
        return 0
    cases = tuple(_cases(configs, lanes, rope)) if configs or lanes or rope else CONFIGS
    _warm_up(places=False)
    with _progress() as show:
        verdicts = list(judge_bugs(show))
        if not only_bug:
            verdicts += judge_all(cases, show)
    report.write_json(
        BUILD / "ports.json",
        {
            **provenance(),
            "verdicts": [{"ok": one.ok, **dataclasses.asdict(one)} for one in verdicts],
        },
    )
    console = _console()
    report.print_verdicts(console, verdicts)
    red = sum(not verdict.ok for verdict in verdicts)
    console.print(
        f"{len(verdicts) - red} of {len(verdicts)} netlists as they should be" + ", RED" * bool(red)
    )
    return 1 if red else 0


@main.command()
@click.option("--write", is_flag=True, help="Update docs/cost.md.")
def table(write: bool) -> None:
    """Print docs/cost.md: the baseline, which `area` compares with."""
    if write:
        write_atomically(page.PAGE, page.page())
    else:
        click.echo(page.page(), nl=False)


if __name__ == "__main__":
    main(prog_name="python -m synth")
