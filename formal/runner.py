"""Runs the four steps of a task (proof, confirmation, cover, planted bug) and judges them."""

import contextlib
import dataclasses
import fcntl
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from formal import judge
from formal.cache import Cache
from formal.elaborate import Elaborate, in_process, processes
from formal.engines.outcome import Job, Outcome
from formal.engines.table import Engine, engine_named
from formal.model import Netlist
from formal.tasks.configs import PROOF_CONFIGS
from formal.tasks.task import Task
from spec.config import Config
from tools.sources import ROOT

BUILD = ROOT / "build" / "formal"

#: The outcomes to cache, by run. Other outcomes need a new trace. A failed induction is a fact
#: about the netlist; a timeout is not, and so is never cached.
_EXPECTED = {
    "proof": ("PASS",),
    "confirmation": ("PASS", "UNKNOWN"),
    "cover": ("PASS",),
    "bug": ("FAIL",),
}


#: Called with the task, its configuration and the run that begins; at the end with an empty run.
Watch = Callable[[Task, str, str], None]


@dataclass(frozen=True, kw_only=True)
class Result:
    """The result of a property at a configuration.

    `detail` is the error, empty if the property holds. `proof`, `confirmation`, `cover` and `bug`
    are the outcomes of the four runs, None for those that did not run. `unconfirmed` is the reason
    if there is no confirmation.
    """

    task: Task
    config: str
    engine: str
    detail: str = ""
    obligations: int = 0
    claims: tuple[str, ...] = ()
    suppositions: tuple[str, ...] = ()
    proof: Outcome | None = None
    confirmation: Outcome | None = None
    confirmed_by: str = ""
    unconfirmed: str = ""
    cover: Outcome | None = None
    bug: Outcome | None = None

    @property
    def status(self) -> str:
        """The verdict: PASS or RED."""
        return "RED" if self.detail else "PASS"

    @property
    def runs(self) -> list[Outcome]:
        """The outcomes of all runs so far."""
        runs = (self.proof, self.confirmation, self.cover, self.bug)
        return [run for run in runs if run]

    @property
    def late(self) -> bool:
        """Whether the confirmation is missing because the second engine ran out of time."""
        return self.confirmation is not None and self.confirmation.status == "TIMEOUT"

    @property
    def seconds(self) -> float:
        """Total time of all runs, when they were not cached."""
        return round(sum(run.seconds for run in self.runs), 1)

    @property
    def cached(self) -> bool:
        """Whether all outcomes come from the cache."""
        return all(run.cached for run in self.runs)


@dataclass(frozen=True)
class Runner:
    """Runs tasks in the folder `build`, with `engine` instead of the table's, if given.

    `bugs_only` runs only the planted bugs, `waves` records their traces, and `proofs_only` runs
    only the proof, with one engine. `watch` is called at the start of each run. `elaborate` makes
    the netlists.
    """

    build: Path = BUILD
    engine: str | None = None
    cache: bool = True
    bugs_only: bool = False
    proofs_only: bool = False
    waves: bool = False
    configs: Mapping[str, Config] = dataclasses.field(default_factory=lambda: PROOF_CONFIGS)
    watch: Watch = lambda task, config, run: None
    elaborate: Elaborate = in_process

    def run(self, task: Task, config: str) -> Result:
        """Run one task for one configuration."""
        task = task.for_config(config)
        result = Result(task=task, config=config, engine=self.engine_for(task).name)
        steps = [self._prove, self._confirm, self._cover, self._plant]
        if self.bugs_only:
            steps = steps[3:]
        elif self.proofs_only:
            steps = steps[:1]
        try:
            model = self._netlist(task, config)
            result = dataclasses.replace(
                result,
                obligations=len(model.claims),
                claims=tuple(model.claims),
                suppositions=(*model.suppositions, *model.besides),
            )
            for step in steps:
                result = step(result, model)
                # Stop at the first failed step.
                if result.detail:
                    break
        except Exception as error:
            # An error in a harness fails its property; the others continue.
            kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
            result = dataclasses.replace(result, detail=f"{kind}{error}")
        self.watch(task, config, "")
        return result

    def run_all(self, pairs: list[tuple[Task, str]], jobs: int) -> Iterator[Result]:
        """Run tasks on `jobs` threads; yields results as they are ready."""
        with processes(jobs) as elaborate, ThreadPoolExecutor(jobs) as pool:
            runner = dataclasses.replace(self, elaborate=elaborate)
            futures = [pool.submit(runner.run, task, config) for task, config in pairs]
            try:
                for future in as_completed(futures):
                    yield future.result()
            finally:
                for future in futures:
                    future.cancel()

    def engine_for(self, task: Task) -> Engine:
        """The runner's engine, or the task's own if no other can run it."""
        own = engine_named(task.engine)
        selected = engine_named(self.engine) if self.engine else own
        return own if own.alone or selected.alone else selected

    def second_for(self, task: Task) -> Engine | None:
        """The engine that confirms: the task's choice, or the default of the first engine."""
        first = self.engine_for(task)
        name = first.second if task.confirm in ("", first.name) else task.confirm
        return None if task.unconfirmed or not name else engine_named(name)

    def engines_for(self, task: Task) -> dict[str, Engine]:
        """The engine of each run of the task; without a confirmation if the task has none."""
        first, second = self.engine_for(task), self.second_for(task)
        return {
            "proof": first,
            **({"confirmation": second} if second else {}),
            "cover": engine_named(task.search_by or first.cover_by or first.name),
            "bug": engine_named(task.search_by or first.bug_by or first.name),
        }

    def _prove(self, result: Result, model: Netlist) -> Result:
        task = result.task
        engine = engine_named(result.engine)
        proof = self._ask(result, "proof", model, engine, task.mode, task.depth, task.timeout)
        return dataclasses.replace(
            result,
            proof=proof,
            obligations=len(proof.found),
            detail=judge.proof(task, model, proof),
        )

    def _confirm(self, result: Result, model: Netlist) -> Result:
        task = result.task
        first, second = engine_named(result.engine), self.second_for(task)
        if second is None:
            why = task.unconfirmed or first.alone
            return dataclasses.replace(result, unconfirmed=why)
        budget = task.confirm_timeout
        again = self._ask(result, "confirmation", model, second, task.mode, task.depth, budget)
        detail, why = judge.confirmation(model, again, first, second)
        return dataclasses.replace(
            result,
            confirmation=again,
            confirmed_by="" if detail or why else second.name,
            unconfirmed=why,
            detail=detail,
        )

    def _cover(self, result: Result, model: Netlist) -> Result:
        task = result.task
        engine = self.engines_for(task)["cover"]
        narrowed = self._netlist(task, result.config, search=True) if task.search else model
        depth = task.cover_depth
        cover = result.proof and engine.name == result.engine and result.proof.cover
        if not cover or narrowed.text != model.text:
            cover = self._ask(result, "cover", narrowed, engine, "cover", depth, task.timeout)
        detail = judge.cover(model, narrowed, cover)
        return dataclasses.replace(result, cover=cover, detail=detail)

    def _plant(self, result: Result, model: Netlist) -> Result:
        task = result.task
        engine = self.engines_for(task)["bug"]
        bugged = self._netlist(task, result.config, search=True, planted=True)
        depth = task.bug_depth
        bug = self._ask(result, "bug", bugged, engine, "bmc", depth, task.timeout)
        return dataclasses.replace(result, bug=bug, detail=judge.bug(task, model, bug))

    def _netlist(
        self, task: Task, config: str, *, search: bool = False, planted: bool = False
    ) -> Netlist:
        bug = task.bug if planted else None
        narrowing = task.search if search else {}
        return self._cache.netlist(task, self.configs[config], bug, narrowing)

    def _ask(
        self,
        result: Result,
        run: str,
        model: Netlist,
        engine: Engine,
        mode: str,
        depth: int,
        timeout: int,
    ) -> Outcome:
        """The outcome of the engine, or the cached one of the same job.

        Raises ValueError for an outcome about another netlist than that of the job.
        """
        # Waveforms of expected counterexamples are written only on request.
        shown = self.waves and run == "bug"
        waves = shown or run in ("proof", "confirmation")
        job = Job(model.text, mode, engine.line, depth, timeout, waves=waves)
        known = None if shown else self._cache.answer(job, engine)
        if known:
            return _about(job, known)
        self.watch(result.task, result.config, run)
        folder = self.build / f"{result.task.id}-{result.config}" / run
        with _alone_in(folder):
            outcome = _about(job, engine.run(job, folder))
        if outcome.status in _EXPECTED[run] and not shown:
            self._cache.remember(job, engine, outcome)
        return outcome

    @property
    def _cache(self) -> Cache:
        return Cache(self.build / "cache", self.cache, self.elaborate)


def _about(job: Job, answer: Outcome) -> Outcome:
    """`answer`, checked to be about the netlist of `job`, unless it is an error, which is red."""
    for outcome in (answer, answer.cover):
        if outcome and outcome.status != "ERROR" and outcome.netlist != job.digest:
            raise ValueError("the engine's answer is about another netlist than it was given")
    return answer


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Lock `folder` against other threads and processes."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
