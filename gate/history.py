"""The history: a line of JSON for each gate, in a file that can be committed.

It lies at the root, where it is no source of the verdict: appending to it makes no record stale.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tools.errors import BadInput
from tools.evidence import ROOT
from tools.files import json_or_none, reading, write_atomically
from tools.provenance import DIRTY
from tools.revisions import git

FILE = ROOT / "history.jsonl"
#: Most red lines that an entry names, and most files that a summary does.
NAMES = 20


@dataclass(frozen=True)
class Entry:
    """A gate: commit and date, its verdict and profile, its `figures` by name, and the names of
    what was red."""

    commit: str | None
    date: str
    ok: bool
    profile: str | None
    figures: Mapping[str, float] = field(default_factory=dict)
    red: Sequence[str] = ()


def read(path: Path = FILE) -> list[Entry]:
    """All entries, the oldest first; raises BadInput for a line that is none."""
    if not path.exists():
        return []
    with reading(path) as (file, _):
        entries = []
        for number, line in enumerate(file.read().decode("utf-8").splitlines(), 1):
            try:
                entries.append(Entry(**json.loads(line)))
            except (ValueError, TypeError) as error:
                raise BadInput(f"line {number} is no entry of the history ({error})") from None
        return entries


def append(entry: Entry, path: Path = FILE) -> None:
    """Add a line to the file."""
    before = path.read_text("utf-8") if path.exists() else ""
    write_atomically(path, before + json.dumps(asdict(entry)) + "\n")


def last_green(entries: Sequence[Entry]) -> Entry | None:
    """The newest green entry."""
    return next((entry for entry in reversed(entries) if entry.ok), None)


def figures(build: Path) -> dict[str, float]:
    """What trends are drawn from, of the records in `build`; those of missing records are left
    out."""
    return {name: round(value, 3) for name, value in _figures(build)}


def _figures(build: Path) -> Iterator[tuple[str, float]]:
    if formal := json_or_none(build / "formal" / "results.json"):
        results = formal.get("results", [])
        yield "proofs", sum(result["status"] == "PASS" for result in results)
        yield "proofs confirmed", sum(bool(result["confirmed_by"]) for result in results)
        yield "seconds of proofs", sum(result["seconds"] for result in results)
    for name, words in (("tests", "tests"), ("fuzz", "fuzz tests")):
        if record := json_or_none(build / name / "summary.json"):
            cases = record.get("cases", [])
            yield words, sum(case["outcome"] == "passed" for case in cases)
            yield f"seconds of {words}", sum(case["seconds"] for case in cases)
            if name == "fuzz":
                yield "fuzz examples", record.get("examples", 0)
                yield "values compared", record.get("values", 0)
                yield "cover points", len(record.get("reached", ()))
    if sweep := json_or_none(build / "formal" / "sweep.json"):
        yield "swept proofs", sum(len(result["proved"]) for result in sweep.get("results", ()))
    if story := json_or_none(build / "story.json"):
        for key, words in (("tokens_per_s", "tokens/s"), ("cycles_per_token", "cycles a token")):
            if key in story:
                yield f"{words} of the story", story[key]
    steps = json_or_none(build / "gate-steps.json")
    if isinstance(steps, list):
        yield "seconds of the gate", sum(step["seconds"] for step in steps)


def changes(
    green: Entry, figures: Mapping[str, float], red: Sequence[str], root: Path = ROOT
) -> list[str]:
    """What is different from the entry `green`: sources, figures, and what is red."""
    return [
        *_sources(green, root),
        *(
            f"{name}: {_number(green.figures[name])} then, {_number(value)} now"
            for name, value in figures.items()
            # Times differ in every run.
            if "second" not in name and "/s" not in name
            if name in green.figures and green.figures[name] != value
        ),
        *([f"red since then: {_some(red)}"] if red else []),
    ]


def _sources(green: Entry, root: Path) -> Iterator[str]:
    if not green.commit:
        return
    base = green.commit.removesuffix(DIRTY)
    try:
        commits = git("rev-list", "--count", f"{base}..HEAD", root=root, may_fail=True).strip()
        files = git("diff", "--name-only", base, root=root, may_fail=True).split("\n")
    except BadInput:
        return
    if not commits:
        yield f"commit {base[:9]} is not in this repository"
        return
    changed = [name for name in files if name]
    yield f"{commits} commits" + (f", {len(changed)} files: {_some(changed)}" if changed else "")


def _some(names: Sequence[str], most: int = 6) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:,.3g}"
