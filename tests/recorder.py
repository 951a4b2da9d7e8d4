"""Records the outcome of every test: ``--record FILE``, read by `gate.verdict`.

A plugin, loaded by `tests/conftest.py`. With several workers it runs in their controller.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from gate.manifest import PROFILES, cover_points
from gate.verdict import FUZZING
from tools.evidence import Watch
from tools.files import write_atomically
from tools.provenance import provenance

#: Counts of tests that compare: `user_properties` of these names go into the record.
COUNTS = ("examples", "steps", "values")
#: The property of a fuzz test that lists the cover points it reached.
REACHED = "reached"
#: Further properties of a fuzz test: the example that first reached each cover point, and the
#: configurations drawn, with their numbers of examples.
DRAWN = ("first", "drawn")
#: Most characters kept of a failure: its end.
MESSAGE = 8000


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--record``."""
    parser.addoption("--record", type=Path, metavar="FILE", help="record the outcome of every test")


def pytest_configure(config: pytest.Config) -> None:
    """Register the recorder if ``--record`` was given."""
    path = config.getoption("record")
    if path is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(path.absolute()), "recorder")


class Recorder:
    """Collects the outcome of every test, and writes it with the digest of the sources.

    A test is ``passed`` when setup, call and teardown passed. One that was never called, as with
    ``--setup-only``, is ``not called``.
    """

    def __init__(self, path: Path):
        self.path = path
        path.unlink(missing_ok=True)
        self.watch = Watch()
        self.collected: list[str] = []
        self.cases: dict[str, dict[str, Any]] = {}
        self.missed: list[str] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Keep the ids; workers do not report theirs."""
        self.collected = [item.nodeid for item in session.items]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Record one phase of one test."""
        new = {"test": report.nodeid, "outcome": "not called", "reason": "", "seconds": 0.0}
        case = self.cases.setdefault(report.nodeid, new)
        case["seconds"] = round(case["seconds"] + report.duration, 2)
        kept = (*COUNTS, REACHED, *DRAWN)
        case |= {name: value for name, value in report.user_properties if name in kept}
        expected = hasattr(report, "wasxfail")
        if report.outcome != "passed" or expected:
            case["outcome"] = f"{report.outcome}, {report.when}"
            if report.skipped and isinstance(report.longrepr, tuple) and not expected:
                case["outcome"] = "skipped"
                case["reason"] = report.longrepr[2].removeprefix("Skipped: ")
            elif report.failed:
                case["message"] = report.longreprtext[-MESSAGE:]
        elif report.when == "call":
            case["outcome"] = "passed"

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the record; the run fails if it reached too few cover points."""
        cases = list(self.cases.values())
        reached = {point for case in cases for point in case.pop(REACHED, ())}
        profile = PROFILES.get(settings.get_current_profile_name())
        options = session.config.option
        narrowed = options.keyword or options.markexpr or session.config.args != [FUZZING]
        if profile and profile.covers and not narrowed:
            self.missed = sorted(cover_points() - reached)
            if self.missed and session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
        content = {
            **provenance(),
            "sources": self.watch.digest(),
            # Without asserts (python -O) most checks do nothing.
            "asserts": __debug__,
            "profile": settings.get_current_profile_name(),
            # If true, every run draws the same examples.
            "derandomized": settings().derandomize,
            **{name: sum(case.get(name, 0) for case in cases) for name in COUNTS},
            REACHED: sorted(reached),
            "collected": self.collected,
            "cases": cases,
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self.path, json.dumps(content, indent=1) + "\n")

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say which cover points were not reached."""
        for point in self.missed:
            terminalreporter.write_line(f"not reached by any case: {point}", red=True)
