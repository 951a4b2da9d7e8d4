"""The top of the page: verdict, commit, age, tools, and what was not run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gate import history
from gate.history import last_green
from gate.report.records import FILES, Records
from gate.report.section import Section
from gate.summary import JOBS, title_of


@dataclass(frozen=True)
class NotRun:
    """What was not run, why, and the command that would run it."""

    what: str
    why: str
    command: str = ""


def verdict(records: Records) -> dict[str, Any]:
    """The verdict, and the provenance of what it is about."""
    judged = records.verdict
    if judged is None:
        made = max(map(records.provenance, FILES), key=lambda made: str(made.get("date", "")))
        return {"word": "NO VERDICT", "css": "none", "command": "nox -s gate",
                "commit": made.get("commit"), "date": made.get("date", ""),
                "tools": _tools(records), "profile": None, "newer": [], "ran": False}  # fmt: skip
    date = str(judged.get("date", ""))
    newer = [
        FILES[name]
        for name in FILES
        if name in ("story", "lint", "tests", "formal", "sweep", "ports", "fuzz")
        and records.provenance(name).get("date", "") > date
    ]
    return {
        "word": "GREEN" if judged.get("ok") else "RED",
        "css": "good" if judged.get("ok") else "bad",
        "command": judged.get("command") or "nox -s gate",
        "commit": judged.get("commit"),
        "date": date,
        "tools": judged.get("tools") or _tools(records),
        "profile": judged.get("profile"),
        "newer": newer,
        "ran": True,
    }


def _tools(records: Records) -> dict[str, str]:
    """Those of the newest record that names its tools."""
    known = [made for name in FILES if (made := records.provenance(name)).get("tools")]
    return max(known, key=lambda made: str(made.get("date", "")), default={}).get("tools", {})


def changes(records: Records) -> tuple[str, list[str]] | None:
    """What the terminal says of the last green gate: when it was, and what differs."""
    judged = records.verdict or {}
    # The gate's own verdict is the last line of the history.
    before = [entry for entry in records.past if entry.date < judged.get("date", "9")]
    green = last_green(before)
    if green is None:
        return None
    red = [line["name"] for part in JOBS for line in judged.get(part) or () if not line["ok"]]
    since = f"{green.date} at {(green.commit or '?')[:9]}"
    return since, history.changes(green, history.figures(records.build), red)


def counts(records: Records) -> list[dict[str, Any]]:
    """The totals of each part of the verdict."""
    judged = records.verdict or {}
    return [
        {"part": title_of(part), **line}
        for part in JOBS
        for line in judged.get(part) or ()
        if line.get("total")
    ]


def not_run(records: Records, sections: Sequence[Section]) -> list[NotRun]:
    """Everything that was left out, with its reason."""
    return [*_of_verdict(records), *_of_records(records), *_of_sections(sections)]


def _of_verdict(records: Records) -> Iterator[NotRun]:
    judged = records.verdict
    if judged is None:
        yield NotRun("the gate", "no verdict in build/", "nox -s gate")
        return
    for part, job in JOBS.items():
        if part not in judged:
            yield NotRun(title_of(part), "not a part of the main job", f"nox -s {job}")
        elif judged[part] is None:
            yield NotRun(title_of(part), "no record of it in build/", f"nox -s {job}")
    for line in judged.get("tested") or ():
        if line["ok"] and "skipped" in line["name"]:
            yield NotRun(f"tests: {line['name']}", line["detail"])


def _of_records(records: Records) -> Iterator[NotRun]:
    if formal := records["formal"]:
        if left := formal.get("not_asked"):
            why = "the core of the table was proved" if formal.get("tier") == "core" else "narrowed"
            yield NotRun(f"{left:,} proofs of the table", why, "nox -s formal -- --all")
        reasons: dict[str, list[str]] = {}
        for result in formal.get("results", ()):
            if result.get("unconfirmed"):
                name = f"{result['id']} {result['config']}"
                reasons.setdefault(result["unconfirmed"], []).append(name)
        for why, names in reasons.items():
            more = f" and {len(names) - 4} more" if len(names) > 4 else ""
            yield NotRun(f"second engine of {', '.join(names[:4])}{more}", why)
    if (fuzz := records["fuzz"]) and fuzz.get("profile") == "dev":
        why = "profile dev is for daily work"
        yield NotRun("all cover points of the fuzzing", why, "nox -s fuzz -- --profile ci")
    if sweep := records["sweep"]:
        late = sum(len(result["undecided"]) for result in sweep.get("results", ()))
        if late:
            yield NotRun(f"{late} drawn proofs", "out of time, 20 s each by default")


def _of_sections(sections: Sequence[Section]) -> Iterator[NotRun]:
    for section in sections:
        if section.data is None:
            yield NotRun(section.title, section.why, section.command)
        else:
            for what, command in section.data.get("missing", ()):
                yield NotRun(what, "no record of it in build/", command)
