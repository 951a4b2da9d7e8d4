"""The first two detectors: elaboration, and golden against RTL, on one small decoder at a time."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mutate import schemata
from mutate.answer import Answer
from mutate.baseline import Broken, Decoder, Progress
from mutate.cases import Case
from mutate.process import call, simulations

#: Most mutants in one build, and most bytes of their netlist compared with that of the original.
MOST_MUTANTS, MOST_GROWTH = 16, 3
SELECTED = "#define VD_SELECT 1\n"
#: Limits in seconds of CPU time, many times what the original takes.
ELABORATION, BUILD, COMPARISON = 60.0, 600.0, 60.0
#: What a tool prints that lacked memory, processes or space: no answer about its input.
_SCARCE = re.compile(r"No space left|[Cc]annot allocate|out of memory|[Mm]emory exhausted|Killed")


@dataclass(frozen=True)
class Changed:
    """A mutant with another netlist than the original."""

    case: Case
    netlist: str
    constants: str


class Round:
    """All mutants on one decoder."""

    def __init__(self, decoder: Decoder, folder: Path, progress: Progress):
        self.decoder = decoder
        self.folder = folder
        self.progress = progress
        self.original = schemata.Design(decoder.netlist)
        self.log = folder / "log.txt"

    def run(self, cases: Sequence[Case]) -> None:
        """Ask both detectors about those of `cases` that are executed in this decoder."""
        changed, same = [], []
        for number, case in enumerate(cases, 1):
            elaborates = self.decoder.elaborates(case.path, case.change.statement)
            computes = self.decoder.computes(case.path, case.change.statement)
            if not elaborates and not computes:
                continue
            self.progress(f"{self.decoder.name}: elaborate {number}/{len(cases)} {case.name}")
            entry = self._elaborate(case) if elaborates else None
            if entry:
                changed.append(entry)
            elif computes and not case.kills and self.decoder.name not in case.differs_in:
                same.append(case)
        if same:
            library = self._build(self.decoder.netlist, self.decoder.constants).value[0]
            for case in same:
                self._compare(case, library, 0)
        for batch in self._batches(changed):
            self._judge(batch)
        for case in same:
            if case.room == "spec" and not case.kills:
                self._check_golden(case)

    def _elaborate(self, case: Case) -> Changed | None:
        """The mutant's netlist, if it differs from the original."""
        path = self.folder / "mutant.il"
        case.executed_in.append(self.decoder.name)
        answer = self._call(case, "netlists:elaborate", ELABORATION, self.decoder.name, path)
        case.asks("elaboration", answer.seconds)
        if not answer.is_known:
            self._undecided(case, "elaboration", answer)
        elif answer.status != "done":
            case.killed("elaboration", answer.detail)
        else:
            netlist = path.read_text("utf-8")
            if (netlist, answer.value) != (self.decoder.netlist, self.decoder.constants):
                case.differs_in.append(self.decoder.name)
                return Changed(case, netlist, answer.value)
        return None

    def _batches(self, changed: Sequence[Changed]) -> Iterator[list[Changed]]:
        """Mutants that fit into one build; those that cannot be merged alone."""
        merged: list[Changed] = []
        growth = 0
        for entry in changed:
            try:
                if entry.constants != self.decoder.constants:
                    raise schemata.NotMergeable("the driver differs")
                size = len(schemata.merged(self.decoder.netlist, [entry.netlist]))
            except schemata.NotMergeable:
                yield [entry]
                continue
            more = size - len(self.decoder.netlist)
            if merged and (
                len(merged) == MOST_MUTANTS
                or growth + more > MOST_GROWTH * len(self.decoder.netlist)
            ):
                yield merged
                merged, growth = [], 0
            merged.append(entry)
            growth += more
        if merged:
            yield merged

    def _judge(self, batch: list[Changed]) -> None:
        """Build the batch and compare every mutant in it; a batch that does not build, or whose
        original is not right in it, is halved."""
        names = ", ".join(entry.case.name for entry in batch)
        self.progress(f"{self.decoder.name}: build {len(batch)} mutants: {names}")
        try:
            if len(batch) == 1:
                raise schemata.NotMergeable("a build of its own costs less")
            netlist = schemata.merged(self.decoder.netlist, [entry.netlist for entry in batch])
            first, constants = 1, self.decoder.constants + SELECTED
        except schemata.NotMergeable:
            if len(batch) > 1:
                self._halve(batch)
                return
            netlist, constants, first = batch[0].netlist, batch[0].constants, 0
        built = self._build(netlist, constants, unchanged=False)
        for entry in batch:
            entry.case.asks("comparison", built.seconds / len(batch))
        if len(batch) > 1:
            # A loop of several mutants together is none of any of them.
            if built.status != "done" or built.value[1] or not self._is_control_right(built):
                self._halve(batch)
                return
        elif built.status != "done":
            if not built.is_known or _SCARCE.search(built.detail):
                self._undecided(batch[0].case, "build", built)
            else:
                batch[0].case.killed("elaboration", f"not simulated: {built.detail}")
            return
        for number, entry in enumerate(batch, first):
            self._compare(entry.case, built.value[0], number)

    def _halve(self, batch: list[Changed]) -> None:
        half = len(batch) // 2
        self._judge(batch[:half])
        self._judge(batch[half:])

    def _build(self, netlist: str, constants: str, *, unchanged: bool = True) -> Answer:
        answer = call(
            "mutate.inside.netlists:build", self.decoder.name, netlist, constants,
            limit=BUILD, environment=simulations(self.folder), log=self.log,
        )  # fmt: skip
        if unchanged and answer.status != "done":
            raise Broken(f"{self.decoder.name} does not build: {answer.detail}")
        return answer

    def _is_control_right(self, built: Answer) -> bool:
        """Whether the original, which is in every build of several mutants, is right there."""
        answer = call(
            "mutate.inside.comparison:first_difference", self.decoder.name, built.value[0], 0,
            limit=COMPARISON, log=self.log,
        )  # fmt: skip
        return answer.status == "done" and not answer.value["difference"]

    def _compare(self, case: Case, library: str, design: int) -> None:
        self.progress(f"{self.decoder.name}: compare {case.name}")
        answer = self._call(
            case, "comparison:first_difference", COMPARISON, self.decoder.name, library, design
        )
        case.asks("comparison", answer.seconds)
        where = self.decoder.name
        if not answer.is_known:
            self._undecided(case, "comparison", answer)
        elif answer.status != "done":
            case.killed("comparison", f"{where}: {answer.detail}")
        elif answer.value["difference"]:
            difference = answer.value["difference"]
            case.killed("comparison", f"{where}: {difference}", answer.value["cycle"])

    def _undecided(self, case: Case, what: str, answer: Answer) -> None:
        name = self.decoder.name
        case.undecided.append(f"{what} of {name}: {answer.detail}")
        if name not in case.differs_in:
            case.differs_in.append(name)

    def _check_golden(self, case: Case) -> None:
        """What golden and RTL share may change both: then the netlist says nothing."""
        answer = self._call(case, "comparison:golden", COMPARISON, self.decoder.name)
        if answer.status != "done" or answer.value != self.decoder.golden:
            case.differs_in.append(f"{self.decoder.name} in golden")

    def _call(self, case: Case, function: str, limit: float, *arguments: object) -> Answer:
        """Call a function under the mutant."""
        return call(
            f"mutate.inside.{function}", *arguments,
            path=case.path, content=case.change.content, limit=limit, log=self.log,
        )  # fmt: skip
