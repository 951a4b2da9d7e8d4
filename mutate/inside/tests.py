"""Tests of the repository, under the mutant of this process."""

from typing import Any

import pytest

from mutate.answer import is_scarce
from tools import evidence


class _Watch:
    """Keeps what failed first, how many tests passed, and an error for want of something that the
    machine does not have; makes Hypothesis repeatable."""

    def __init__(self) -> None:
        self.failed = ""
        self.passed = 0
        self.scarce: BaseException | None = None

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Load settings that shrink nothing, behind those of `tests/conftest.py`."""
        # Not above: pytest wants to import this plugin itself.
        from hypothesis import Phase, settings

        settings.register_profile(
            "mutant",
            settings(),
            phases=(Phase.explicit, Phase.generate),
            derandomize=True,
            database=None,
        )
        settings.load_profile("mutant")

    def pytest_exception_interact(self, call: pytest.CallInfo) -> None:
        """Look at the exception of a failure."""
        if call.excinfo and is_scarce(call.excinfo.value):
            self.scarce = call.excinfo.value

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count, or keep the name."""
        self.passed += report.passed and report.when == "call"
        if report.failed and not self.failed:
            self.failed = report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that cannot be imported is a failure, too."""
        if report.failed and not self.failed:
            self.failed = report.nodeid


def run(files: tuple[str, ...]) -> dict[str, Any]:
    """Run test `files` up to the first failure: its name, if any, and how many tests passed."""
    watch = _Watch()
    options = ("-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--tb=line")
    code = pytest.main([*evidence.PYTEST[2:], *options, *files], plugins=[watch])
    if watch.scarce:
        raise watch.scarce
    failed = watch.failed
    if not failed and code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        failed = "the tests do not begin"
    return {"failed": failed, "passed": watch.passed}
