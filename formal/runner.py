"""Runs a task: the proof, its cover, its planted bug; and judges the three together."""

import dataclasses
import hashlib
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from design.config import CONFIGS
from design.files import write_atomically
from formal.canary import Canary, build_under
from formal.engines import Engine, engine_named
from formal.model import Netlist, netlist
from formal.outcome import Job, Outcome
from formal.tasks import Task

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "formal"

#: The module table is global to the interpreter, so models are built one at a time.
_BUILDING = threading.Lock()
#: What an answer depends on beside the netlist: this machinery.
_MACHINERY = (
    "sby.py",
    "l2s.py",
    "explore.cpp",
    "explore.py",
    "graph.py",
    "paths.py",
    "tools.py",
    "bitwuzla_smt2.py",
    "native_yosys.py",
)


@dataclass(frozen=True)
class Result:
    """What became of one property of one configuration.

    `status` is the verdict: PASS, or RED with the reason in `detail`. `proof`, `cover` and
    `canary` are the outcomes of the three runs; None for one that was not asked for.
    """

    task: Task
    config: str
    engine: str
    status: str
    detail: str
    obligations: int
    proof: Outcome | None
    cover: Outcome | None
    canary: Outcome | None

    @property
    def seconds(self) -> float:
        """Time of all runs together."""
        runs = (self.proof, self.cover, self.canary)
        return round(sum(run.seconds for run in runs if run), 1)


@dataclass(frozen=True)
class Runner:
    """How tasks are run: where to, with which engine in place of the table's, cached or not."""

    build: Path = BUILD
    engine: str | None = None
    cache: bool = True
    canaries_only: bool = False

    def run(self, task: Task, config: str) -> Result:
        """Run one task for one configuration."""
        engine = self.engine_for(task)
        proof = cover = canary = None
        detail = ""
        model = _build(task, config, None)
        if not self.canaries_only:
            proof = self._answer(task, config, "proof", model, engine, task.mode, task.depth)
            detail = _judge_proof(task, model, proof)
        # What is red already is told at once, with no further questions.
        if not self.canaries_only and not detail:
            covers = engine_named(engine.cover_by or engine.name)
            narrowed = _build(task, config, None, **task.search) if task.search else model
            cover = self._answer(task, config, "cover", narrowed, covers, "cover", task.cover_depth)
            detail = _judge_cover(model, cover)
        if not detail:
            finds = engine_named(engine.bug_by or engine.name)
            try:
                bugged = _build(task, config, task.canary, **task.search)
            except ValueError as error:
                detail = str(error)
            else:
                depth = task.canary_depth
                canary = self._answer(task, config, "canary", bugged, finds, "bmc", depth)
                detail = _judge_canary(task, canary)
        return Result(
            task=task,
            config=config,
            engine=engine.name,
            status="RED" if detail else "PASS",
            detail=detail,
            obligations=len(proof.found) if proof else len(model.claims),
            proof=proof,
            cover=cover,
            canary=canary,
        )

    def engine_for(self, task: Task) -> Engine:
        """The engine asked for, or the task's own, where no other can answer."""
        own = engine_named(task.engine)
        asked = engine_named(self.engine) if self.engine else own
        return own if own.alone or asked.alone else asked

    def _answer(
        self,
        task: Task,
        config: str,
        kind: str,
        model: Netlist,
        engine: Engine,
        mode: str,
        depth: int,
    ) -> Outcome:
        """The engine's answer, or the cached one to the very same question."""
        # Nobody looks at the waves of what is expected to be found.
        job = Job(model.text, mode, engine.line, depth, task.timeout, waves=kind == "proof")
        cached = self.build / "cache" / f"{_digest(job, engine)}.json"
        if self.cache and cached.exists():
            return _load(cached)
        outcome = engine.run(job, self.build / f"{task.id}-{config}" / kind)
        # Only what is expected is remembered: a red answer is worth its trace, fresh.
        if outcome.status == ("FAIL" if kind == "canary" else "PASS"):
            cached.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(cached, json.dumps(dataclasses.asdict(outcome)))
        return outcome

    def run_all(self, pairs: list[tuple[Task, str]], jobs: int) -> Iterator[Result]:
        """Run tasks on `jobs` threads; results come as they are ready."""
        with ThreadPoolExecutor(jobs) as pool:
            futures = [pool.submit(self.run, task, config) for task, config in pairs]
            try:
                for future in as_completed(futures):
                    yield future.result()
            finally:
                for future in futures:
                    future.cancel()


def _build(task: Task, config: str, canary: Canary | None, **search: Any) -> Netlist:
    with _BUILDING:
        model = build_under(canary, task.harness, CONFIGS[config], **task.arguments, **search)
        return netlist(model)


def _digest(job: Job, engine: Engine) -> str:
    content = [json.dumps([dataclasses.asdict(job), engine.name, engine.versions()])]
    content += [Path(__file__).with_name(name).read_text() for name in _MACHINERY]
    return hashlib.sha256("\0".join(content).encode()).hexdigest()


def _load(path: Path) -> Outcome:
    stored: dict[str, Any] = json.loads(path.read_text())
    stored["named"] = tuple(stored["named"])
    stored["found"] = tuple(stored["found"])
    return Outcome(**stored)


def _judge_proof(task: Task, model: Netlist, proof: Outcome) -> str:
    """What is wrong with a proof, or nothing."""
    if proof.status == "FAIL":
        return f"violated: {', '.join(proof.named) or 'a claim'} after {proof.cycles} cycles"
    if proof.status == "UNKNOWN":
        return "unproved: no violation within the depth, but the induction does not hold"
    if proof.status != "PASS":
        return f"unproved: {proof.status.lower()} of engine, see {proof.log}"
    if len(model.claims) != task.obligations:
        return f"{task.obligations} obligations declared, {len(model.claims)} stated"
    if list(proof.found) != sorted(model.claims):
        lost = sorted(set(model.claims) - set(proof.found))
        return f"obligations lost on the way to the engine: {', '.join(lost) or 'names differ'}"
    return ""


def _judge_cover(model: Netlist, cover: Outcome) -> str:
    """What is wrong with a cover run, or nothing."""
    if not model.witnesses:
        return "vacuous: the theorem has no witness"
    missed = sorted(set(model.witnesses) - set(cover.named))
    if missed or cover.status != "PASS":
        return f"vacuous: witness not reached: {', '.join(missed) or cover.status.lower()}"
    return ""


def _judge_canary(task: Task, canary: Outcome) -> str:
    """What is wrong with the run over the planted bug, or nothing."""
    if canary.status != "FAIL" or not canary.named:
        return f"the planted bug is not caught ({canary.status.lower()}): {task.canary.name}"
    return ""
