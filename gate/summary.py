"""Prints tables of the results of all jobs, and the verdict of the gate.

`gate.verdict` judges the records of the jobs in ``build/`` by the requirements of `gate.manifest`.
Without ``--gate``, the records are those of the main job: ``story.json``, ``formal/results.json``
and ``fuzz/summary.json``. With it, also lint (``lint.json``), RAM ports (``synth/ports.json``), the
sweep (``formal/sweep.json``), the tests (``tests/summary.json``) and the steps
(``gate-steps.json``, written by the noxfile); the verdict goes to ``gate.json`` and ``gate.xml``.
Missing records are red.
"""

import argparse
import json
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from gate import manifest, verdict
from gate.manifest import Required
from gate.verdict import Line
from tools.console import make_console
from tools.evidence import BUILD

#: Most red lines printed for a part; further ones are counted.
SHOWN = 40
Parts = dict[str, list[Line] | None]


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


def print_table(console: Console, title: str, lines: list[Line] | None, missing: str) -> None:
    """Print one table, or the sentence `missing` if it has no lines."""
    if lines is None:
        console.print(f"{title}: {missing}")
        return
    table = Table(title=title, title_justify="left", title_style="bold", expand=False)
    for column in ("", "what", "detail"):
        table.add_column(column, overflow="fold")
    table.add_column("seconds", justify="right")
    red = [line for line in lines if not line.ok]
    hidden = set(map(id, red[SHOWN:]))
    for line in lines:
        if id(line) in hidden:
            continue
        mark = "[green]ok[/]" if line.ok else "[bold red]RED[/]"
        seconds = f"{line.seconds:.1f}" if line.seconds else ""
        # Names of tests have brackets, which are markup in rich.
        table.add_row(mark, escape(line.name), escape(line.detail), seconds)
    console.print(table)
    if hidden:
        console.print(f"and {len(hidden)} more red lines")


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


def write_verdict(build: Path, ok: bool, required: Required, parts: Parts) -> None:
    """Write gate.json, and gate.xml together with the suites that pytest reported."""
    lines = {name: [vars(line) for line in part or []] for name, part in parts.items()}
    content = {"ok": ok, "sources": required.sources, "profile": required.profile, **lines}
    (build / "gate.json").write_text(json.dumps(content, indent=2) + "\n")
    root = ET.Element("testsuites", name="gate")
    root.extend(_suite(name, part or []) for name, part in parts.items())
    for report in ("gate-tests.xml", "gate-fuzz.xml"):
        if (build / report).is_file():
            root.extend(ET.parse(build / report).getroot().iter("testsuite"))
    ET.ElementTree(root).write(build / "gate.xml", encoding="utf-8", xml_declaration=True)


def show(console: Console, build: Path, required: Required, *, gate: bool) -> bool:
    """Print the tables, and for the gate write the verdict; returns whether all is green."""
    parts = judged(build, required, gate=gate)
    for name, part in parts.items():
        job = {"told": "story", "proved": "formal", "compared": "fuzz"}.get(name, "gate")
        title = "Story" if name == "told" else name.capitalize()
        print_table(console, title, part, f"nothing yet, run `nox -s {job}`")
    ok = green(parts)
    if gate:
        write_verdict(build, ok, required, parts)
        skipped = [line for line in parts["tested"] or [] if line.ok and "skipped" in line.name]
        notes = "".join(f", {line.name} ({line.detail})" for line in skipped)
        colour = "[bold green]GREEN[/]" if ok else "[bold red]RED[/]"
        console.print(f"Verdict: {colour}{escape(notes)}")
    return ok


def main(argv: list[str] | None = None) -> int:
    """Print the tables; exit code 1 when something is red or missing."""
    parser = argparse.ArgumentParser(
        prog="python -m gate.summary", description="Print the results of all jobs."
    )
    parser.add_argument(
        "--gate", action="store_true", help="write the verdict to gate.json and gate.xml"
    )
    parser.add_argument(
        "--profile", choices=manifest.PROFILES, help="the required profile of the fuzzing"
    )
    parser.add_argument("--build", type=Path, default=BUILD, help="folder to read")
    args = parser.parse_args(argv)

    # Without a terminal, rich would wrap at 80 columns and truncate names in logs.
    console = make_console()
    required = manifest.required(gate=args.gate, profile=args.profile)
    return 0 if show(console, args.build, required, gate=args.gate) else 1


if __name__ == "__main__":
    sys.exit(main())
