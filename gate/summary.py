"""Prints the verdict over all jobs: it first, then what changed since the last green gate, what is
red, and counts.

`gate.verdict` judges the records of the jobs in ``build/`` by the requirements of `gate.manifest`.
Without ``--gate``, the records are those of the main job: ``story.json``, ``formal/results.json``
and ``fuzz/summary.json``. With it, also lint (``lint.json``), RAM ports (``synth/ports.json``), the
sweep (``formal/sweep.json``), the tests (``tests/summary.json``) and the steps
(``gate-steps.json``, written by the noxfile); the verdict goes to ``gate.json`` and ``gate.xml``,
and a line of it to the history (`gate.history`). Missing records are red.
"""

import argparse
import json
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gate import history, manifest, verdict
from gate.history import Entry, last_green
from gate.manifest import Required
from gate.verdict import Line
from tools.console import make_console
from tools.evidence import BUILD
from tools.files import write_atomically
from tools.provenance import Provenance, provenance

#: Most red lines printed for a part; further ones are counted.
SHOWN = 40
Parts = dict[str, list[Line] | None]
#: The session that fills each part.
JOBS = {
    "told": "story", "proved": "formal", "compared": "fuzz", "linted": "lint", "mapped": "ports",
    "swept": "sweep", "tested": "tests", "steps": "gate",
}  # fmt: skip


def judged(build: Path, required: Required, *, gate: bool) -> Parts:
    """The lines of each part, None for a part without a readable record."""
    parts: Parts = {
        "told": verdict.story(build, required),
        "proved": verdict.proved(build, required),
        "compared": verdict.compared(build, required),
    }
    if gate:
        parts["linted"] = verdict.linted(build, required)
        parts["mapped"] = verdict.mapped(build, required)
        parts["swept"] = verdict.swept(build, required)
        parts["tested"] = verdict.tested(build, required)
        parts["steps"] = verdict.stepped(build, required)
    return parts


def green(parts: Parts) -> bool:
    """Whether all parts exist, and all lines are green."""
    return all(part and all(line.ok for line in part) for part in parts.values())


def print_red(console: Console, parts: Parts) -> None:
    """The red lines, by part."""
    rows = [(job_of(name), line) for name, part in parts.items() for line in red_lines(part)]
    if not rows:
        return
    table = Table(title="Red", title_justify="left", title_style="bold red", expand=False)
    for column in ("part", "what", "detail"):
        table.add_column(column, overflow="fold")
    shown: Counter[str] = Counter()
    for name, line in rows:
        shown[name] += 1
        if shown[name] <= SHOWN:
            # Names of tests have brackets, which are markup in rich.
            table.add_row(name, escape(line.name), escape(line.detail))
    console.print(table)
    for name, count in shown.items():
        if count > SHOWN:
            console.print(f"and {count - SHOWN} more red lines of {name}")


def print_counts(console: Console, parts: Parts) -> None:
    """The totals of each part, or how to get them."""
    table = Table(title="Counts", title_justify="left", title_style="bold", expand=False)
    for column in ("", "part", "what", "detail"):
        table.add_column(column, overflow="fold")
    table.add_column("seconds", justify="right")
    for name, part in parts.items():
        for line in part or ():
            if line.total:
                seconds = f"{line.seconds:.1f}" if line.seconds else ""
                mark = mark_of(line.ok)
                table.add_row(mark, job_of(name), escape(line.name), escape(line.detail), seconds)
    if table.row_count:
        console.print(table)
    for name, part in parts.items():
        if part is None:
            console.print(f"{title_of(name)}: nothing yet, run `nox -s {job_of(name)}`")


def print_all(console: Console, parts: Parts) -> None:
    """Every line."""
    for name, part in parts.items():
        table = Table(title=title_of(name), title_justify="left", title_style="bold")
        for column in ("", "what", "detail"):
            table.add_column(column, overflow="fold")
        table.add_column("seconds", justify="right")
        for line in part or ():
            seconds = f"{line.seconds:.1f}" if line.seconds else ""
            table.add_row(mark_of(line.ok), escape(line.name), escape(line.detail), seconds)
        if part:
            console.print(table)


def mark_of(ok: bool) -> str:
    """A word, in its colour."""
    return "[green]ok[/]" if ok else "[bold red]RED[/]"


def job_of(part: str) -> str:
    """The session that fills `part`."""
    return JOBS[part]


def title_of(part: str) -> str:
    """The heading of `part`."""
    return "Story" if part == "told" else part.capitalize()


def red_lines(part: list[Line] | None) -> list[Line]:
    """The red lines of a part."""
    return [line for line in part or () if not line.ok]


def _suite(name: str, lines: list[Line]) -> ET.Element:
    failures = sum(not line.ok for line in lines)
    suite = ET.Element(
        "testsuite",
        name=name,
        tests=str(len(lines)),
        failures=str(failures),
        errors="0",
        time=f"{sum(line.seconds for line in lines):.1f}",
    )
    for line in lines:
        case = ET.SubElement(
            suite, "testcase", classname=name, name=line.name, time=f"{line.seconds:.1f}"
        )
        if not line.ok:
            ET.SubElement(case, "failure", message=line.detail)
    return suite


def write_verdict(
    build: Path, ok: bool, required: Required, parts: Parts, made: Provenance, *, gate: bool
) -> None:
    """Write gate.json, and gate.xml together with the suites that pytest reported; of the main
    job, write summary.json."""
    lines = {
        name: None if part is None else [vars(line) for line in part]
        for name, part in parts.items()
    }
    profile = required.profile
    command = "nox -s gate" + f" -- --profile {profile}" * bool(profile) if gate else "nox"
    content = {
        **made, "command": command, "ok": ok, "sources": required.sources,
        "profile": profile, **lines,
    }  # fmt: skip
    name = "gate.json" if gate else "summary.json"
    write_atomically(build / name, json.dumps(content, indent=2) + "\n")
    if not gate:
        return
    root = ET.Element("testsuites", name="gate")
    root.extend(_suite(name, part or []) for name, part in parts.items())
    for report in ("gate-tests.xml", "gate-fuzz.xml"):
        if (build / report).is_file():
            root.extend(ET.parse(build / report).getroot().iter("testsuite"))
    ET.ElementTree(root).write(build / "gate.xml", encoding="utf-8", xml_declaration=True)


def show(
    console: Console,
    build: Path,
    required: Required,
    *,
    gate: bool,
    past: Sequence[Entry] = (),
    everything: bool = False,
) -> Entry:
    """Print the verdict, what changed since the last green gate of `past`, what is red, and
    counts, or `everything`; write the verdict. Returns the entry of the history."""
    parts = judged(build, required, gate=gate)
    made, ok = provenance(), green(parts)
    if build.is_dir():
        write_verdict(build, ok, required, parts, made, gate=gate)
    red = [line.name for part in parts.values() for line in red_lines(part)]
    red += [f"{title_of(name)}: nothing yet" for name, part in parts.items() if part is None]
    entry = Entry(
        commit=made["commit"], date=made["date"], ok=ok, profile=required.profile,
        figures=history.figures(build), red=red[: history.NAMES],
    )  # fmt: skip
    skipped = [line for line in parts.get("tested") or () if line.ok and "skipped" in line.name]
    notes = "".join(f", {line.name} ({line.detail})" for line in skipped)
    colour = "[bold green]GREEN[/]" if ok else f"[bold red]RED[/], {len(red)} lines"
    console.print(f"Verdict{'' if gate else ' of the main job'}: {colour}{escape(notes)}")
    if last := last_green(past):
        console.print(f"Since the last green gate, {last.date} at {(last.commit or '?')[:9]}:")
        for sentence in history.changes(last, entry.figures, red) or ["nothing changed"]:
            console.print(f"  {escape(sentence)}", highlight=False)
    elif gate:
        console.print("No green gate yet in the history.")
    print_red(console, parts)
    print_counts(console, parts)
    if everything:
        print_all(console, parts)
    return entry


def main(argv: list[str] | None = None) -> int:
    """Print the tables; exit code 1 when something is red or missing."""
    parser = argparse.ArgumentParser(
        prog="python -m gate.summary", description="Print the results of all jobs."
    )
    parser.add_argument(
        "--gate",
        action="store_true",
        help="write the verdict to gate.json and gate.xml, and a line to the history",
    )
    parser.add_argument(
        "--profile", choices=manifest.PROFILES, help="the required profile of the fuzzing"
    )
    parser.add_argument("--build", type=Path, default=BUILD, help="folder to read")
    parser.add_argument("--history", type=Path, default=history.FILE, help="file of earlier gates")
    parser.add_argument("--all", action="store_true", help="also print all green lines")
    args = parser.parse_args(argv)

    console = make_console()
    required = manifest.required(gate=args.gate, profile=args.profile)
    past = history.read(args.history)
    entry = show(console, args.build, required, gate=args.gate, past=past, everything=args.all)
    if args.gate:
        history.append(entry, args.history)
    return 0 if entry.ok else 1


if __name__ == "__main__":
    sys.exit(main())
