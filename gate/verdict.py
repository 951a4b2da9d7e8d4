"""Whether what must have happened did happen, judged from what the jobs left in ``build/``.

Each function looks at one record and answers with lines, green or red, or with None where there is
no record. Nothing is taken on its word: a record that calls itself complete is compared with what
`gate.manifest` requires.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gate.manifest import (
    PROFILES,
    STORY_TOKENS,
    STORY_VALUES,
    VALUES_AN_EXAMPLE,
    Required,
    Skip,
    by_folder,
)  # fmt: skip

FUZZING = "tests/fuzz"
STALE = "is of other sources than these, or they changed while it ran"


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


def _red(name: str, detail: str) -> Line:
    return Line(name=name, ok=False, detail=detail)


def _stale(record: Mapping[str, Any], required: Required) -> list[Line]:
    return [] if record["sources"] == required.sources else [_red("the record", STALE)]


def told(build: Path, required: Required) -> list[Line] | None:
    """The RTL told the story of the repository's own model, and was compared all the way."""
    try:
        record = _read(build / "story.json")
        lines = _stale(record, required)
        if record["arguments"]:
            lines.append(_red("the record", f"is of another story: {record['arguments']}"))
        if "tokens" not in record:
            return [*lines, _red("story", "was not told")]
        tokens, values = int(record["tokens"]), int(record["values"])
        enough = tokens >= STORY_TOKENS and values >= tokens * STORY_VALUES
        must = f", must be {STORY_TOKENS} and {STORY_VALUES:,} values each" if not enough else ""
        same = (
            "equal to golden" if record["equal"] is True else "compared, and then one that DIFFERS"
        )
        speed = (
            f"{record['tokens_per_s']:.1f} tokens/s, {record['cycles_per_token']:,.0f} cycles each"
        )
        detail = f"{tokens} tokens{must}, {values:,} values {same}; {speed}"
        ok = enough and record["equal"] is True
        return [*lines, Line("story", ok=ok, detail=detail, seconds=record["seconds"])]
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def proved(build: Path, required: Required) -> list[Line] | None:
    """A line for each property, and red ones for what is missing, doubled, or not of the table."""
    try:
        record = _read(build / "formal" / "results.json")
        results = [(str(each["id"]), str(each["config"]), each) for each in record["results"]]
        lines = [
            Line(
                name=id,
                ok=not (wrong := _wrong_proof(result, required.table.get((id, config)))),
                detail=f"{config} {result['engine']} {wrong or result['status']}",
                seconds=float(result["seconds"]),
            )
            for id, config, result in results
        ]
        lines += _stale(record, required)
        lines += [_red(sentence, "MISSING") for sentence in record["missing"]]
        times = Counter((id, config) for id, config, _ in results)
        lines += [
            _red(id, f"{config} has {times[id, config]} results, must have 1")
            for id, config in sorted(required.proofs | times.keys())
            if times[id, config] != 1
        ]
        lines.append(_asked(times.keys(), required))
        confirmed = sum(bool(result["confirmed_by"]) for *_, result in results)
        late = [(result["confirmation"] or {}).get("status") for *_, result in results]
        total = (
            f"{confirmed} confirmed by a second engine, which ran out of time on"
            f" {late.count('TIMEOUT')}"
        )
        return [*lines, Line(name="all", ok=bool(results), detail=total)]
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _asked(asked: Set[tuple[str, str]], required: Required) -> Line:
    """How much was asked, of what must be and of the whole table."""
    must, rest = len(asked & required.proofs), len(required.table.keys() - asked)
    left_out = f", {rest} of the whole table of {len(required.table)} not asked" if rest else ""
    return Line(
        name="asked",
        ok=must == len(required.proofs),
        detail=f"{must} of the {len(required.proofs)} that must be{left_out}",
    )


def _wrong_proof(result: Mapping[str, Any], task: Any) -> str:
    """What is wrong with one result: each of the four runs must have ended as it should."""
    if task is None:
        return "is not in the table"
    if result["status"] != "PASS":
        return str(result["status"])
    for run, wanted in (("proof", "PASS"), ("cover", "PASS"), ("bug", "FAIL")):
        if (result[run] or {}).get("status") != wanted:
            return f"{run} without {wanted}"
    if not result["confirmed_by"] and not result["unconfirmed"]:
        return "no second engine, and no reason"
    for field in ("engine", "mode", "obligations"):
        if result[field] != getattr(task, field):
            return f"{field} {result[field]}, in the table {getattr(task, field)}"
    return ""


def tested(build: Path, required: Required) -> list[Line] | None:
    """What became of every test but the fuzzing."""
    tests = required.tests - required.in_folder(FUZZING)
    least = {name: least for name, least in required.least_tests.items() if name != FUZZING}
    return _ran(build / "tests" / "summary.json", tests, least, required)


def compared(build: Path, required: Required) -> list[Line] | None:
    """A line for each fuzz test, and one for all."""
    path = build / "fuzz" / "summary.json"
    try:
        least_tests = {FUZZING: required.least_tests[FUZZING]}
        lines = _ran(path, required.in_folder(FUZZING), least_tests, required)
        if lines is None:
            return None
        record = _read(path)
        name = str(record["profile"])
        profile = PROFILES.get(name)
        if profile is None:
            return [*lines, _red(f"profile {name}", f"is none of {', '.join(PROFILES)}")]
        if required.profile not in (None, name):
            lines.append(_red(f"profile {name}", f"{required.profile} was asked for"))
        if record["derandomized"]:
            lines.append(_red(f"profile {name}", "draws the same examples in every run"))
        values = examples = 0
        for case in record["cases"]:
            least = profile.least(case["test"])
            if not least:
                continue
            count, worth = int(case.get("examples", 0)), int(case.get("values", 0))
            examples, values = examples + count, values + worth
            enough = count >= least and worth >= least * VALUES_AN_EXAMPLE
            must = "" if enough else f", must be {least:,} and {least * VALUES_AN_EXAMPLE:,}"
            detail = f"{count:,} examples, {worth:,} values{must}"
            lines.append(
                Line(_name(case["test"]), ok=enough, detail=detail, seconds=case["seconds"])
            )
        total = f"{examples:,} examples, {values:,} values"
        return [*lines, Line(name=f"all, profile {name}", ok=values > 0, detail=total)]
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _ran(
    path: Path, tests: frozenset[str], least: Mapping[str, int], required: Required
) -> list[Line] | None:
    """Every one of `tests` passed, or was skipped for an allowed reason; `least` by folder."""
    try:
        record = _read(path)
        cases = {str(case["test"]): case for case in record["cases"]}
        lines = _stale(record, required)
        if not record["asserts"]:
            lines.append(_red("the record", "is of a Python without assertions"))
        skipped: Counter[Skip] = Counter()
        for test in sorted(tests | cases.keys()):
            case = cases.get(test)
            if case is None:
                lines.append(_red(_name(test), "did not run"))
            elif test not in tests:
                lines.append(_red(_name(test), "ran, and is not collected"))
            elif skip := _allowed(case, required.skips):
                skipped[skip] += 1
            elif case["outcome"] != "passed":
                lines.append(_red(_name(test), f"{case['outcome']} {case['reason']}".rstrip()))
        lines += [
            Line(name=f"{count} skipped", ok=True, detail=f"{skip.reason}: {skip.why}")
            for skip, count in skipped.items()
        ]
        folders = by_folder(tests)
        lines += [
            _red(folder, f"{folders[folder]} tests are collected, must be {number} at least")
            for folder, number in least.items()
            if folders[folder] < number
        ]
        passed = sum(case["outcome"] == "passed" for case in cases.values())
        seconds = sum(float(case["seconds"]) for case in cases.values())
        total = f"{passed:,} of {len(tests):,} passed"
        return [*lines, Line("tests", ok=bool(passed), detail=total, seconds=seconds)]
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _allowed(case: Mapping[str, Any], skips: Sequence[Skip]) -> Skip | None:
    if case["outcome"] == "skipped":
        for skip in skips:
            if case["reason"].startswith(skip.reason):
                return skip
    return None


def _name(test: str) -> str:
    return test.rpartition("/")[2]


def swept(build: Path, required: Required) -> list[Line] | None:
    """Every property that is claimed of other configurations was proved of some, none refuted."""
    try:
        record = _read(build / "formal" / "sweep.json")
        lines = _stale(record, required)
        results = {str(each["id"]): each for each in record["results"]}
        proved = undecided = 0
        for id in sorted(required.swept | results.keys()):
            each = results.get(id)
            if each is None or id not in required.swept:
                lines.append(_red(id, "no configuration drawn" if each is None else "is not drawn"))
                continue
            proved, undecided = proved + len(each["proved"]), undecided + len(each["undecided"])
            if each["red"]:
                lines.append(_red(id, f"{each['detail']}: {each['red']}"))
            elif not each["proved"] and not each["undecided"]:
                lines.append(_red(id, "no configuration drawn"))
        total = f"proved of {proved} configurations, out of time on {undecided}"
        return [*lines, Line(f"all, seed {record['seed']}", ok=proved > 0, detail=total)]
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def linted(build: Path, required: Required) -> list[Line] | None:
    """Each check looked at every file, and found nothing."""
    try:
        record = _read(build / "lint.json")
        lines = _stale(record, required)
        checks = {str(each["check"]): each for each in record["checks"]}
        for name in sorted(required.linted.keys() | checks.keys()):
            each, least = checks.get(name), required.linted.get(name)
            if each is None or least is None:
                lines.append(_red(name, "did not run" if each is None else "is not required"))
                continue
            files = int(each["files"])
            must = "" if files >= least else f", must be {least}"
            ok = each["ok"] is True and not must
            lines.append(Line(name, ok=ok, detail=f"{files} files{must}"))
        return lines
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def mapped(build: Path, required: Required) -> list[Line] | None:
    """The memories of every netlist are as declared, and the planted reader was noticed. Of which
    sources they are says the step that made them."""
    try:
        record = _read(build / "synth" / "ports.json")
        lines: list[Line] = []
        found: Counter[tuple[str, int, str, bool]] = Counter()
        for each in record["verdicts"]:
            planted = each["bug"] is not None
            key = (str(each["config"]), int(each["lanes"]), str(each["device"]), planted)
            found[key] += 1
            ok = each["ok"] is True and each["declared"] > 0
            detail = f"{each['declared']} memories" + ", planted reader noticed" * planted
            lines.append(Line(_netlist(key), ok=ok, detail=detail if ok else "RED"))
        for key in sorted(required.netlists | found.keys()):
            if found[key] != (must := int(key in required.netlists)):
                lines.append(_red(_netlist(key), f"has {found[key]} results, must have {must}"))
        return lines
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _netlist(key: tuple[str, int, str, bool]) -> str:
    config, lanes, device, planted = key
    return f"{config}-{lanes}, {device}" + ", planted" * planted


def stepped(build: Path, required: Required) -> list[Line] | None:
    """A line for each step of the gate: all of them ran, in order, on these sources."""
    try:
        steps = _read(build / "gate-steps.json")
        lines = [
            Line(
                name=str(step["step"]),
                ok=step["ok"] is True and step["sources"] == required.sources,
                detail=f"nox -s {step['step']}"
                + ("" if step["sources"] == required.sources else f" {STALE}"),
                seconds=float(step["seconds"]),
            )
            for step in steps
        ]
        names = [line.name for line in lines]
        if names != list(required.steps):
            wanted = ", ".join(required.steps)
            lines.append(_red("the steps", f"are {', '.join(names) or 'none'}, must be {wanted}"))
        return lines
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
