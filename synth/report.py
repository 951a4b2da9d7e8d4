"""Tables of the measurements and of the gate's results."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from synth.area import CLOCK
from synth.baseline import Record, kept, key
from synth.devices import DEVICES, RESOURCES
from synth.gate import Verdict
from tools.files import write_atomically


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON, atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(value, indent=2) + "\n")


def misses(record: Record) -> list[str]:
    """The targets that a record misses, as sentences; only placed designs have targets."""
    if "given_up_after_s" in record:
        return [f"not placed and routed after {record['given_up_after_s'] / 60:.0f} minutes"]
    if "fmax_mhz" not in record:
        return []
    missed = []
    if record["fmax_mhz"] < CLOCK:
        missed.append(f"fmax {record['fmax_mhz']:.1f} MHz is below {CLOCK} MHz")
    if record["used"]["dsp"] > record["multipliers"]:
        missed.append(
            f"{record['used']['dsp']} DSP blocks, the design declares"
            f" {record['multipliers']} multipliers"
        )
    return missed


def _figure(value: float | int | None, before: float | int | None) -> str:
    """The value, and its difference to the baseline."""
    if value is None:
        return ""

    def formatted(number: float | int, sign: str = "") -> str:
        return f"{number:{sign},.1f}" if isinstance(number, float) else f"{number:{sign},}"

    if before is None or value == before:
        return formatted(value)
    return f"{formatted(value)} ({formatted(value - before, '+')})"


_COSTS = (
    "config", "lanes", "device",
    "LUT", "FF", "DSP", "block RAM", "fmax MHz", "cycles/token", "tokens/s",
)  # fmt: skip


def _cost(record: Record, baseline: dict[str, Record]) -> list[str]:
    """A row of the table of costs: three names, then figures."""
    now, before = kept(record), baseline.get(key(record), {})
    device = DEVICES[record["device"]].title + ("" if "fmax_mhz" in record else ", estimate")
    columns = (*RESOURCES, "fmax_mhz", "cycles_per_token", "tokens_per_s")
    figures = [_figure(now.get(name), before.get(name)) for name in columns]
    return [record["config"], str(record["lanes"]), device, *figures]


def _remarks(records: list[Record], baseline: dict[str, Record]) -> Iterator[str]:
    """The targets missed, and the records that cannot be compared."""
    for record in records:
        yield from (f"missed: {key(record)}: {miss}" for miss in misses(record))
        if key(record) not in baseline:
            yield f"{key(record)} is not in the baseline"


def print_costs(console: Console, records: list[Record], baseline: dict[str, Record]) -> None:
    """The table of costs, with differences from the baseline, and the targets missed."""
    table = Table(title="Cost", title_justify="left", caption="(difference from the baseline)")
    for number, column in enumerate(_COSTS):
        table.add_column(column, justify="left" if number < 3 else "right")
    for record in records:
        table.add_row(*_cost(record, baseline))
    console.print(table)
    for remark in _remarks(records, baseline):
        console.print(remark, highlight=False, markup=False)


def write_markdown(path: Path, records: list[Record], baseline: dict[str, Record]) -> None:
    """Write the same as Markdown, for a comment on a change."""
    rules = ["---" if number < 3 else "--:" for number in range(len(_COSTS))]
    rows = [_COSTS, rules, *(_cost(record, baseline) for record in records)]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    lines += ["", *(f"- {remark}" for remark in _remarks(records, baseline))]
    path.parent.mkdir(parents=True, exist_ok=True)
    title = "Cost (difference from the baseline)"
    write_atomically(path, "\n".join([title, "", *lines]).rstrip() + "\n")


def print_paths(console: Console, record: Record, number: int, *, hops: bool) -> None:
    """The longest paths between registers, one per line, with their hops if `hops`."""
    console.print(f"\n{key(record)}: longest paths", highlight=False)
    for path in record["paths"][:number]:
        others = f", {path['ends']} ends" if path["ends"] > 1 else ""
        line = f"{path['ns']:6.2f} ns  {path['start']} -> {path['end']}{others}"
        console.print(escape(line), highlight=False, soft_wrap=True)
        if not hops:
            continue
        console.print(f"        {path['clock_to_output_ns']:5.2f} clock to output", highlight=False)
        for hop in path["hops"]:
            net = f" to {hop['net']}" if hop["net"] else ""
            text = f"{hop['ns']:5.2f} {hop['through']}{net}, routing {hop['routing_ns']:.2f}"
            console.print(f"        {escape(text)}", highlight=False, soft_wrap=True)


def print_verdicts(console: Console, verdicts: list[Verdict]) -> None:
    """The table of the gate, then all findings."""
    table = Table(title="Memories", title_justify="left")
    for column in ("", "config", "lanes", "device"):
        table.add_column(column)
    for column in ("declared", "cache", "block RAMs", "findings"):
        table.add_column(column, justify="right")
    for verdict in verdicts:
        good = "[green]ok[/]" if not verdict.bug else "[green]caught[/]"
        bad = "[bold red]RED[/]" if not verdict.bug else "[bold red]MISSED[/]"
        device = DEVICES[verdict.device]
        assert device.block is not None
        table.add_row(
            good if verdict.ok else bad,
            verdict.config + (", second reader planted" if verdict.bug else ""),
            str(verdict.lanes),
            device.name,
            str(verdict.declared),
            f"{verdict.cache_found} of {verdict.cache_expected}",
            f"{verdict.block_rams} {device.block.unit}",
            str(len(verdict.findings)),
        )
    console.print(table)
    for verdict in verdicts:
        for finding in verdict.findings:
            netlist = f"{verdict.config}-{verdict.lanes}, {verdict.device}"
            line = f"{netlist}: {finding}" + (" (planted)" if verdict.bug else "")
            console.print(escape(line), highlight=False, soft_wrap=True)
