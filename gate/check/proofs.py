"""The proofs that a change may turn red, the likeliest first: one of the two lanes of a check."""

import json
import os
import sys
from pathlib import Path

from formal.engines.programs.launch import warm_up
from formal.report import console as report
from formal.runner import Runner
from formal.tasks import select
from formal.tasks.configs import PROOF_CONFIGS
from formal.tasks.task import Task
from gate.check.changes import Changes
from gate.check.history import History
from tools.console import make_console
from tools.sources import ROOT, SOURCES

#: What a proof takes that no check has timed yet: most take less.
UNKNOWN = 5.0
#: Folders on whose files every proof depends.
_PROVER = (Path("formal"), Path("formal/tasks"))


def affected(changes: Changes, history: History) -> list[tuple[Task, str]]:
    """The core proofs whose models depend on a changed file.

    In front those that objected to changes of these files before; then those whose planted bug is
    in a changed function, in a changed file, and the rest; within each in the order of
    `formal.tasks.configs`, which begins with nano, and the quickest first.
    """
    paths, sizes = changes.checked, list(PROOF_CONFIGS)

    def order(pair: tuple[Task, str]) -> tuple[int, int, int, float]:
        task, config = pair
        path = f"{task.bug.module.replace('.', '/')}.py"
        functions = changes.functions.get(path)
        planted = 2 if functions is None else 0 if task.bug.function in functions else 1
        name = f"{task.id} {config}"
        seconds = history.seconds.get(name, UNKNOWN)
        return -history.objections(name, paths), planted, sizes.index(config), seconds

    by_prover = changes.everything or any(Path(path).parent in _PROVER for path in paths)
    chosen = [
        (task, config)
        for task, config in select((), None)
        if by_prover or not _files(task).isdisjoint(ROOT / path for path in paths)
    ]
    return sorted(chosen, key=order)


def _files(task: Task) -> set[Path]:
    """The files that a proof depends on, besides those of `_PROVER`."""
    return SOURCES.reached(
        task.harness.__module__, task.theorem.__module__, task.bug.module,
        "formal.model", "formal.engines.table",
    )  # fmt: skip


def main(jobs: int) -> int:
    """Prove what depends on the changes that standard input gives; exit code 1 at the first red.

    First every claim by one engine; then the rest: second engines, covers and planted bugs.
    """
    changes = Changes({path: frozenset(names) for path, names in json.load(sys.stdin).items()})
    history = History.read("proofs")
    console = make_console()
    pairs = affected(changes, history)
    if not pairs:
        print("no proof depends on the change")
        return 0
    warm_up(lambda text: print(text, flush=True))
    for runner, what in ((Runner(proofs_only=True), "claims"), (Runner(), "proofs in full")):
        for number, result in enumerate(runner.run_all(pairs, jobs), 1):
            name = f"{result.task.id} {result.config}"
            print(f"{number}/{len(pairs)} {what}: {name}", flush=True)
            if result.status != "PASS":
                report.print_result(console, result, runner)
                print(
                    f"     again: python -m formal prove {result.task.id} --config {result.config}"
                )
                history.red(name, changes.checked)
                history.write()
                sys.stdout.flush()
                os._exit(1)  # without waiting for the proofs that are running
            if what == "claims" and not result.cached:
                history.took(name, result.seconds)
        history.write()
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
