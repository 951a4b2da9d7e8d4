"""What is remembered from run to run: netlists by the sources they come from, answers by question.

A netlist is elaborated again when a file that its harness, theorem or planted bug reaches has
changed, and its properties are asked about again only if it came out different.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from formal.elaborate import Elaborate, Wanted, here
from formal.engines.outcome import Job, Outcome
from formal.engines.table import Engine, installed
from formal.model import Netlist
from formal.tasks.task import Task
from spec.config import Config
from tools import sources
from tools.files import write_atomically
from tools.planting import PlantedBug

#: What elaborates, beside what a harness imports.
_ELABORATION = ("tools.planting", "formal.model")


@dataclass(frozen=True)
class Cache:
    """The folder of what is remembered; where `reads` is False it is only written. What is not
    there, `elaborate` makes."""

    folder: Path
    reads: bool = True
    elaborate: Elaborate = here

    def netlist(
        self, task: Task, config: Config, bug: PlantedBug | None, search: Mapping[str, Any]
    ) -> Netlist:
        """The netlist of a task's model, with the bug `bug` planted if there is one.

        Raises what `elaborate` does.
        """
        arguments = {**task.arguments, **search}
        origin = _origin(task, config, bug, arguments)
        path = self._file("netlists", origin or "")
        if self.reads and origin and path.exists():
            return Netlist(**json.loads(path.read_text(encoding="utf-8")))
        built = self.elaborate(Wanted(task.harness, config, bug, arguments))
        if origin and sources.SOURCES.on_disk(*_modules(task, bug)):
            self._write(path, dataclasses.asdict(built))
        return built

    def answer(self, job: Job, engine: Engine) -> Outcome | None:
        """What `engine` answered to the very same question before."""
        question = _question(job, engine)
        path = self._file("answers", question or "")
        if not (self.reads and question and path.exists()):
            return None
        return Outcome.remembered(json.loads(path.read_text(encoding="utf-8")))

    def remember(self, job: Job, engine: Engine, outcome: Outcome) -> None:
        """Keep an answer, unless the machinery that asked is no longer what is on the disk."""
        question = _question(job, engine)
        if question and sources.SOURCES.on_disk(engine.run.__module__):
            self._write(self._file("answers", question), dataclasses.asdict(outcome))

    def _file(self, kind: str, key: str) -> Path:
        return self.folder / kind / f"{hashlib.sha256(key.encode()).hexdigest()}.json"

    def _write(self, path: Path, content: dict[str, Any]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(content))


def _origin(
    task: Task, config: Config, bug: PlantedBug | None, arguments: Mapping[str, Any]
) -> str | None:
    """All that a netlist depends on, or None where that cannot be told."""
    harness = (task.harness.__module__, task.harness.__qualname__)
    called = (*harness, sorted(arguments.items()), config, bug, installed("amaranth"))
    digest = sources.SOURCES.digest(*_modules(task, bug))
    # What has no name of its own is another in the next process.
    named = "<" not in task.harness.__qualname__ and " at 0x" not in repr(called)
    return repr(called) + digest if digest and named else None


def _modules(task: Task, bug: PlantedBug | None) -> list[str]:
    planted = [bug.module] if bug else []
    return [task.harness.__module__, task.theorem.__module__, *_ELABORATION, *planted]


def _question(job: Job, engine: Engine) -> str | None:
    """All that an answer depends on, the machinery that asks included, or None where that cannot
    be told."""
    asked = json.dumps([dataclasses.asdict(job), engine.name, engine.versions()])
    machinery = sources.SOURCES.digest(engine.run.__module__)
    return machinery and "\0".join([asked, machinery])
