"""One table of what was proved and what was compared, and the verdict of the gate.

Reads what the jobs left in ``build/``: ``formal/results.json`` (a result per property),
``fuzz/summary.json`` (what golden and RTL were compared on) and, for ``--gate``,
``gate-steps.json`` (written by the noxfile). The gate's verdict goes to ``gate.json`` and
``gate.xml``; there, what cannot be read, or proved or compared nothing, is red.
"""

import argparse
import json
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

BUILD = Path(__file__).resolve().parent.parent / "build"


@dataclass(frozen=True)
class Line:
    """One line of a table: what was checked, its figures, and whether it is green."""

    name: str
    ok: bool
    detail: str
    seconds: float = 0.0


def _read(path: Path) -> Any:
    """The JSON in `path`, or None when there is none or it is torn."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def proved(build: Path, *, gate: bool = False) -> list[Line] | None:
    """A line per property, or None without (readable) results; green is the status PASS alone.

    What the session missed has a line, too, and so has that it was not about all there is, which
    is red for the gate.
    """
    try:
        content = _read(build / "formal" / "results.json")
        lines = [
            Line(
                name=str(result["id"]),
                ok=result["status"] == "PASS",
                detail=" ".join(
                    str(result[key]) for key in ("config", "engine", "status") if result.get(key)
                ),
                seconds=float(result.get("seconds", 0)),
            )
            for result in content["results"]
        ]
        lines += [
            Line(name=sentence, ok=False, detail="MISSING") for sentence in content["missing"]
        ]
        if not content["complete"]:
            lines.append(
                Line(name="the rest", ok=False, detail="not asked about: a part was named")
            )
        return lines
    except (KeyError, TypeError, ValueError):
        return None


def compared(build: Path) -> list[Line] | None:
    """A line per fuzz test and one for all, or None; green is at least one value compared."""
    try:
        summary = _read(build / "fuzz" / "summary.json")
        lines = [
            Line(
                name=str(case["test"]),
                ok=case["values"] > 0,
                detail=f"{case['examples']:,} examples, {case['values']:,} values",
            )
            for case in summary["cases"]
        ]
        total = (
            f"{summary['examples']:,} examples, {summary['steps']:,} steps,"
            f" {summary['values']:,} values"
        )
        name = f"all, profile {summary['profile']}"
        return [*lines, Line(name=name, ok=summary["values"] > 0, detail=total)]
    except (KeyError, TypeError, ValueError):
        return None


def steps(build: Path) -> list[Line] | None:
    """A line per step of the gate, or None when it has not run."""
    try:
        return [
            Line(
                name=step["step"],
                ok=step["ok"] is True,
                detail=f"nox -s {step['step']}",
                seconds=float(step["seconds"]),
            )
            for step in _read(build / "gate-steps.json")
        ]
    except (KeyError, TypeError, ValueError):
        return None


def print_table(console: Console, title: str, lines: list[Line] | None, missing: str) -> None:
    """Print one table, or the sentence `missing` in its place."""
    if lines is None:
        console.print(f"{title}: {missing}")
        return
    table = Table(title=title, title_justify="left", title_style="bold", expand=False)
    for column in ("", "what", "detail"):
        table.add_column(column, overflow="fold")
    table.add_column("seconds", justify="right")
    for line in lines:
        mark = "[green]ok[/]" if line.ok else "[bold red]RED[/]"
        seconds = f"{line.seconds:.1f}" if line.seconds else ""
        # Names of tests hold brackets, which are markup to rich.
        table.add_row(mark, escape(line.name), escape(line.detail), seconds)
    console.print(table)


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


def write_verdict(build: Path, ok: bool, parts: dict[str, list[Line] | None]) -> None:
    """Write gate.json, and gate.xml with the suites that pytest reported besides."""
    lines = {name: [vars(line) for line in part or []] for name, part in parts.items()}
    (build / "gate.json").write_text(json.dumps({"ok": ok, **lines}, indent=2) + "\n")
    root = ET.Element("testsuites", name="gate")
    root.extend(_suite(name, part or []) for name, part in parts.items())
    for report in ("gate-tests.xml", "gate-fuzz.xml"):
        if (build / report).is_file():
            root.extend(ET.parse(build / report).getroot().iter("testsuite"))
    ET.ElementTree(root).write(build / "gate.xml", encoding="utf-8", xml_declaration=True)


def main(argv: list[str] | None = None) -> int:
    """Print the tables; exit code 1 when something is red, or with --gate also when missing."""
    parser = argparse.ArgumentParser(
        prog="python -m formal.summary", description="What was proved and what was compared."
    )
    parser.add_argument(
        "--gate", action="store_true", help="give the verdict, in gate.json and gate.xml too"
    )
    parser.add_argument("--build", type=Path, default=BUILD, help="folder to read")
    args = parser.parse_args(argv)

    # Without a terminal rich would wrap at 80 columns and cut names in logs.
    console = Console(width=None if sys.stdout.isatty() else 120)
    parts = {"proved": proved(args.build, gate=args.gate), "compared": compared(args.build)}
    print_table(console, "Proved", parts["proved"], "nothing yet, run `nox -s formal`")
    print_table(console, "Compared", parts["compared"], "nothing yet, run `nox -s fuzz`")
    if args.gate:
        parts["steps"] = steps(args.build)
        print_table(console, "Gate", parts["steps"], "no steps, run `nox -s gate`")

    ok = all(line.ok for part in parts.values() for line in part or [])
    if args.gate:
        ok = ok and all(parts.values())
        write_verdict(args.build, ok, parts)
        console.print(f"Verdict: {'[bold green]GREEN[/]' if ok else '[bold red]RED[/]'}")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
