"""The cache of proofs: netlists by the digest of their sources, outcomes by the job.

A netlist is elaborated again when a dependency of its harness, theorem or planted bug has changed,
and its properties are proved again only if the netlist differs.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from formal.elaborate import Elaborate, Request, in_process
from formal.engines.outcome import Job, Outcome
from formal.engines.table import Engine, installed
from formal.model import Netlist
from formal.tasks.task import Task
from spec.config import Config
from tools import sources
from tools.files import write_atomically
from tools.planting import PlantedBug

#: Modules that affect elaboration, besides the imports of a harness.
_ELABORATION = ("tools.planting", "formal.model")


@dataclass(frozen=True)
class Cache:
    """The cache in `folder`; if not `reads`, it is only written. `elaborate` makes netlists that
    are not cached."""

    folder: Path
    reads: bool = True
    elaborate: Elaborate = in_process

    def netlist(
        self, task: Task, config: Config, bug: PlantedBug | None, search: Mapping[str, Any]
    ) -> Netlist:
        """The netlist of a task's model, with `bug` planted if given.

        Raises the exceptions of `elaborate`.
        """
        arguments = {**task.arguments, **search}
        origin = _origin(task, config, bug, arguments)
        path = self._file("netlists", origin or "")
        if self.reads and origin and path.exists():
            return Netlist(**json.loads(path.read_text(encoding="utf-8")))
        built = self.elaborate(Request(task.harness, config, bug, arguments))
        if origin and sources.SOURCES.on_disk(*_modules(task, bug)):
            self._write(path, dataclasses.asdict(built))
        return built

    def answer(self, job: Job, engine: Engine) -> Outcome | None:
        """The cached outcome of `engine` for the same job, if any."""
        question = _question(job, engine)
        path = self._file("answers", question or "")
        if not (self.reads and question and path.exists()):
            return None
        return Outcome.from_cache(json.loads(path.read_text(encoding="utf-8")))

    def remember(self, job: Job, engine: Engine, outcome: Outcome) -> None:
        """Store an outcome, unless the sources of the engine have changed on the disk."""
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
    """A key of everything that a netlist depends on, or None if that is unknown."""
    harness = (task.harness.__module__, task.harness.__qualname__)
    called = (*harness, sorted(arguments.items()), config, bug, installed("amaranth"))
    digest = sources.SOURCES.digest(*_modules(task, bug))
    # Objects without a name differ from process to process.
    named = "<" not in task.harness.__qualname__ and " at 0x" not in repr(called)
    return repr(called) + digest if digest and named else None


def _modules(task: Task, bug: PlantedBug | None) -> list[str]:
    planted = [bug.module] if bug else []
    return [task.harness.__module__, task.theorem.__module__, *_ELABORATION, *planted]


def _question(job: Job, engine: Engine) -> str | None:
    """A key of everything that an outcome depends on, including the sources of the engine, or None
    if that is unknown."""
    key = json.dumps([dataclasses.asdict(job), engine.name, engine.versions()])
    digest = sources.SOURCES.digest(engine.run.__module__)
    return digest and "\0".join([key, digest])
