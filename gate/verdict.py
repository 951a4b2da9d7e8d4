"""Judges the records of the jobs in ``build/`` by the requirements of `gate.manifest`.

Each function reads one record and returns lines, green or red, or None without a readable record.
Records are not trusted: even one marked as complete is compared with the requirements.
"""

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
    cover_points,
)  # fmt: skip
from tools.files import json_or_none

FUZZING = "tests/fuzz"
STALE = "belongs to other sources, or they changed while it ran"


@dataclass(frozen=True)
class Line:
    """A line of a table: the check, its figures, and whether it is green.

    A `total` sums up its part. `key` names what the line is about in the record: a property and its
    configuration, the id of a test, a check, a netlist.
    """

    name: str
    ok: bool
    detail: str
    seconds: float = 0.0
    total: bool = False
    key: tuple[str, ...] = ()


def _red(name: str, detail: str, *key: str) -> Line:
    return Line(name=name, ok=False, detail=detail, key=key)


def _stale(record: Mapping[str, Any], required: Required) -> list[Line]:
    return [] if record["sources"] == required.sources else [_red("the record", STALE)]


def story(build: Path, required: Required) -> list[Line] | None:
    """The RTL generated the story of the default model, and every value was compared."""
    try:
        record = json_or_none(build / "story.json")
        lines = _stale(record, required)
        if record["arguments"]:
            lines.append(_red("the record", f"is of another story: {record['arguments']}"))
        if "tokens" not in record:
            return [*lines, _red("story", "was not finished")]
        tokens, values = int(record["tokens"]), int(record["values"])
        enough = tokens >= STORY_TOKENS and values >= tokens * STORY_VALUES
        must = f", must be {STORY_TOKENS} and {STORY_VALUES:,} values each" if not enough else ""
        same = "equal to golden" if record["equal"] is True else "compared, and one that DIFFERS"
        speed = (
            f"{record['tokens_per_s']:.1f} tokens/s, {record['cycles_per_token']:,.0f} cycles each"
        )
        detail = f"{tokens} tokens{must}, {values:,} values {same}; {speed}"
        ok = enough and record["equal"] is True
        seconds = record["seconds"]
        return [*lines, Line("story", ok=ok, detail=detail, seconds=seconds, total=True)]
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def proved(build: Path, required: Required) -> list[Line] | None:
    """A line for each property, and red ones for missing, duplicate or unknown results."""
    try:
        record = json_or_none(build / "formal" / "results.json")
        results = [
            (str(result["id"]), str(result["config"]), result) for result in record["results"]
        ]
        lines = [
            Line(
                name=id,
                ok=not (wrong := _wrong_proof(result, required.table.get((id, config)))),
                detail=f"{config} {result['engine']} {wrong or result['status']}",
                seconds=float(result["seconds"]),
                key=(id, config),
            )
            for id, config, result in results
        ]
        lines += _stale(record, required)
        lines += [_red(sentence, "MISSING") for sentence in record["missing"]]
        times = Counter((id, config) for id, config, _ in results)
        lines += [
            _red(id, f"{config} has {times[id, config]} results, must have 1", id, config)
            for id, config in sorted(required.proofs | times.keys())
            if times[id, config] != 1
        ]
        lines.append(_coverage(times.keys(), required))
        confirmed = sum(bool(result["confirmed_by"]) for *_, result in results)
        late = [(result["confirmation"] or {}).get("status") for *_, result in results]
        total = (
            f"{confirmed} confirmed by a second engine, which ran out of time on"
            f" {late.count('TIMEOUT')}"
        )
        return [*lines, Line(name="all", ok=bool(results), detail=total, total=True)]
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _coverage(run: Set[tuple[str, str]], required: Required) -> Line:
    """The number of proofs run, of the required ones and of the whole table."""
    count, rest = len(run & required.proofs), len(required.table.keys() - run)
    left_out = f"; {rest} of {len(required.table)} in the table were not run" if rest else ""
    return Line(
        name="run",
        ok=count == len(required.proofs),
        detail=f"{count} of {len(required.proofs)} required proofs{left_out}",
        total=True,
    )


def _wrong_proof(result: Mapping[str, Any], task: Any) -> str:
    """The error of a result, if any: each of its runs must have the expected status."""
    if task is None:
        return "is not in the table"
    if result["status"] != "PASS":
        return str(result["status"])
    for run, expected in (("proof", "PASS"), ("cover", "PASS"), ("bug", "FAIL")):
        if (result[run] or {}).get("status") != expected:
            return f"{run} without {expected}"
    if not result["confirmed_by"] and not result["unconfirmed"]:
        return "no second engine, and no reason"
    for field in ("engine", "mode", "obligations"):
        if result[field] != getattr(task, field):
            return f"{field} {result[field]}, in the table {getattr(task, field)}"
    return ""


def tested(build: Path, required: Required) -> list[Line] | None:
    """The outcomes of all tests except the fuzzing."""
    tests = required.tests - required.in_folder(FUZZING)
    least = {name: least for name, least in required.least_tests.items() if name != FUZZING}
    return _ran(build / "tests" / "summary.json", tests, least, required)


def compared(build: Path, required: Required) -> list[Line] | None:
    """A line for each fuzz test, and one for the total."""
    path = build / "fuzz" / "summary.json"
    try:
        least_tests = {FUZZING: required.least_tests[FUZZING]}
        lines = _ran(path, required.in_folder(FUZZING), least_tests, required)
        if lines is None:
            return None
        record = json_or_none(path)
        name = str(record["profile"])
        profile = PROFILES.get(name)
        if profile is None:
            return [*lines, _red(f"profile {name}", f"is not one of {', '.join(PROFILES)}")]
        if required.profile not in (None, name):
            lines.append(_red(f"profile {name}", f"must be {required.profile}"))
        if record["derandomized"]:
            lines.append(_red(f"profile {name}", "draws the same examples in every run"))
        values = examples = 0
        for case in record["cases"]:
            least = profile.least(case["test"])
            if not least:
                continue
            case_examples, case_values = int(case.get("examples", 0)), int(case.get("values", 0))
            examples, values = examples + case_examples, values + case_values
            enough = case_examples >= least and case_values >= least * VALUES_AN_EXAMPLE
            must = "" if enough else f", must be {least:,} and {least * VALUES_AN_EXAMPLE:,}"
            detail = f"{case_examples:,} examples, {case_values:,} values{must}"
            key = (str(case["test"]),)
            lines.append(
                Line(_name(key[0]), ok=enough, detail=detail, seconds=case["seconds"], key=key)
            )
        missed = cover_points() - set(record["reached"]) if profile.covers else frozenset()
        lines += [_red(point, "was not reached by any case") for point in sorted(missed)]
        total = f"{examples:,} examples, {values:,} values, {len(record['reached'])} cover points"
        return [*lines, Line(f"all, profile {name}", ok=values > 0, detail=total, total=True)]
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _ran(
    path: Path, tests: frozenset[str], least: Mapping[str, int], required: Required
) -> list[Line] | None:
    """Each of `tests` must have passed or been skipped for an allowed reason; `least` by folder."""
    try:
        record = json_or_none(path)
        cases = {str(case["test"]): case for case in record["cases"]}
        lines = _stale(record, required)
        if not record["asserts"]:
            lines.append(_red("the record", "is from Python without assertions"))
        skipped: Counter[Skip] = Counter()
        for test in sorted(tests | cases.keys()):
            case = cases.get(test)
            if case is None:
                lines.append(_red(_name(test), "did not run", test))
            elif test not in tests:
                lines.append(_red(_name(test), "ran, but is not collected", test))
            elif skip := _allowed(case, required.skips):
                skipped[skip] += 1
            elif case["outcome"] != "passed":
                detail = f"{case['outcome']} {case['reason']}".rstrip()
                lines.append(_red(_name(test), detail, test))
        lines += [
            Line(f"{count} skipped", ok=True, detail=f"{skip.reason}: {skip.why}", total=True)
            for skip, count in skipped.items()
        ]
        folders = by_folder(tests)
        lines += [
            _red(folder, f"{folders[folder]} tests are collected, must be at least {number}")
            for folder, number in least.items()
            if folders[folder] < number
        ]
        passed = sum(case["outcome"] == "passed" for case in cases.values())
        seconds = sum(float(case["seconds"]) for case in cases.values())
        total = f"{passed:,} of {len(tests):,} passed"
        return [*lines, Line("tests", bool(passed), detail=total, seconds=seconds, total=True)]
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
    """Every property with random configurations was proved for some, and none was refuted."""
    try:
        record = json_or_none(build / "formal" / "sweep.json")
        lines = _stale(record, required)
        results = {str(result["id"]): result for result in record["results"]}
        proved = undecided = 0
        for id in sorted(required.swept | results.keys()):
            result = results.get(id)
            if result is None:
                lines.append(_red(id, "no configuration drawn"))
                continue
            if id not in required.swept:
                lines.append(_red(id, "is not drawn"))
                continue
            proved += len(result["proved"])
            undecided += len(result["undecided"])
            if result["red"]:
                lines.append(_red(id, f"{result['detail']}: {result['red']}", id))
            elif not result["proved"] and not result["undecided"]:
                lines.append(_red(id, "no configuration drawn"))
        total = f"proved for {proved} configurations, out of time on {undecided}"
        return [*lines, Line(f"all, seed {record['seed']}", proved > 0, detail=total, total=True)]
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def linted(build: Path, required: Required) -> list[Line] | None:
    """Each check covered every file, and reported no error."""
    try:
        record = json_or_none(build / "lint.json")
        lines = _stale(record, required)
        checks = {str(check["check"]): check for check in record["checks"]}
        for name in sorted(required.linted.keys() | checks.keys()):
            check, least = checks.get(name), required.linted.get(name)
            if check is None or least is None:
                lines.append(_red(name, "did not run" if check is None else "is not required"))
                continue
            files = int(check["files"])
            must = "" if files >= least else f", must be {least}"
            ok = check["ok"] is True and not must
            lines.append(Line(name, ok, f"{files} files{must}", total=True, key=(name,)))
        return lines
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def mapped(build: Path, required: Required) -> list[Line] | None:
    """The memories of every netlist are as declared, and the planted reader was caught. The record
    has no digest of the sources; that of its step is checked instead."""
    try:
        record = json_or_none(build / "synth" / "ports.json")
        lines: list[Line] = []
        times: Counter[tuple[str, int, str, bool]] = Counter()
        for judged in record["verdicts"]:
            planted = bool(judged["bug"])
            key = (str(judged["config"]), int(judged["lanes"]), str(judged["device"]), planted)
            times[key] += 1
            ok = judged["ok"] is True and judged["declared"] > 0
            detail = f"{judged['declared']} memories" + ", planted reader caught" * planted
            named = tuple(map(str, key))
            lines.append(Line(_netlist(key), ok=ok, detail=detail if ok else "RED", key=named))
        for key in sorted(required.netlists | times.keys()):
            if times[key] != (must := int(key in required.netlists)):
                lines.append(_red(_netlist(key), f"has {times[key]} results, must have {must}"))
        good = f"{sum(line.ok for line in lines)} of {len(required.netlists)} as declared"
        return [*lines, Line("netlists", ok=bool(lines), detail=good, total=True)]
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _netlist(key: tuple[str, int, str, bool]) -> str:
    config, lanes, device, planted = key
    return f"{config}-{lanes}, {device}" + ", planted" * planted


def stepped(build: Path, required: Required) -> list[Line] | None:
    """A line for each step of the gate; all must have run, in order, on these sources."""
    try:
        steps = json_or_none(build / "gate-steps.json")
        lines = [
            Line(
                name=str(step["step"]),
                ok=step["ok"] is True and step["sources"] == required.sources,
                detail=f"nox -s {step['step']}"
                + ("" if step["sources"] == required.sources else f" {STALE}"),
                seconds=float(step["seconds"]),
                key=(str(step["step"]),),
            )
            for step in steps
        ]
        names = [line.name for line in lines]
        if names != list(required.steps):
            steps_required = ", ".join(required.steps)
            ran = ", ".join(names) or "none"
            lines.append(_red("the steps", f"are {ran}, must be {steps_required}"))
        seconds = sum(line.seconds for line in lines)
        return [*lines, Line("steps", bool(steps), f"{len(steps)} ran", seconds, total=True)]
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
