"""The ledger: who pays for what a proof supposes.

A theorem about a component supposes something of whatever drives it. Here each supposition names
its payer: a claim proved of the component that drives it, at the same configuration; or the
outside, for what a host or a memory owes the decoder's own ports. A supposition without a payer, a
payer that is not proved at that configuration, and a circle of payers that no induction over time
closes are red, and so is a line that nobody needs. The other files of this folder hold the lines.

Claims of the whole decoder suppose nothing but the outside and what stands in for a cutpoint.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from formal.runner import Result
from formal.tasks.task import Task
from properties.dialect import CHOSEN


@dataclass(frozen=True)
class Claim:
    """The claim `name` of the task `task`, or, without a name, all that it claims."""

    task: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.task}: {self.name}" if self.name else self.task


@dataclass(frozen=True)
class Paid:
    """These claims together pay; `because` says how, where that is more than the same condition.

    `earlier`: they are needed of the cycles before only (`Theorem.suppose_before`, or what is
    behind a register), so that a circle through this payment is closed by induction over time.
    """

    claims: tuple[Claim, ...]
    because: str = ""
    earlier: bool = False


@dataclass(frozen=True)
class Outside:
    """What whoever is on the other side of a port of the decoder owes; `where` that is documented
    and watched."""

    where: str


@dataclass(frozen=True)
class Alone:
    """The component is proved by itself at `configs`, where no decoder as a whole is: `why`."""

    why: str
    configs: tuple[str, ...]


@dataclass(frozen=True)
class Unpaid:
    """Nobody pays yet: `why`. Counted in each summary, and README says what that leaves open.

    With `configs`, at those alone.
    """

    why: str
    configs: tuple[str, ...] = ()


Payment = Paid | Outside | Alone | Unpaid


@dataclass(frozen=True)
class Line:
    """What pays for the suppositions of tasks: of the first of `payments` whose claims are in the
    table at that configuration. `tasks` and `names` are patterns, as of file names."""

    tasks: tuple[str, ...]
    names: tuple[str, ...]
    payments: tuple[Payment, ...]

    def matches(self, task: str, name: str) -> bool:
        """Whether this is the line for the supposition `name` of `task`."""
        return any(fnmatchcase(task, each) for each in self.tasks) and any(
            fnmatchcase(name, each) for each in self.names
        )


@dataclass(frozen=True)
class Proof:
    """What became of one task at one configuration, as far as the ledger asks."""

    task: str
    config: str
    claims: Collection[str]
    suppositions: Collection[str]
    proved: bool


def proofs(results: Sequence[Result]) -> list[Proof]:
    """What the runner found, as the ledger sees it."""
    return [
        Proof(
            result.task.id,
            result.config,
            result.claims,
            result.suppositions,
            result.status == "PASS",
        )
        for result in results
    ]


def pairs(tasks: Sequence[Task]) -> set[tuple[str, str]]:
    """Every task and configuration of a table."""
    return {(task.id, name) for task in tasks for name in task.all_configs}


@dataclass
class Audit:
    """What an audit found: `holes`, each a sentence, and for each supposition what paid for it."""

    holes: list[str] = field(default_factory=list)
    paid: dict[tuple[str, str, str], Payment] = field(default_factory=dict)

    def summary(self) -> str:
        """How many suppositions are paid by whom, in a line."""
        kinds = {
            Paid: "by claims",
            Outside: "by the outside",
            Alone: "of components alone",
            Unpaid: "unpaid",
        }
        counts = (
            (sum(isinstance(each, kind) for each in self.paid.values()), words)
            for kind, words in kinds.items()
        )
        told = ", ".join(f"{count} {words}" for count, words in counts if count)
        return f"suppositions: {told or 'none'}"


def needs_no_payer(name: str) -> bool:
    """Whether a supposition only says what the theorem is about: an element that exists."""
    return name.startswith(CHOSEN)


def audit(
    lines: Sequence[Line], proofs: Sequence[Proof], table: Collection[tuple[str, str]]
) -> Audit:
    """Look for the payer of each supposition of `proofs`.

    `table` are the tasks and configurations that there are. A payer that was not asked about is
    taken as it stands there; when all were asked about, lines that nobody needs are holes, too.
    """
    found = Audit()
    asked = {(proof.task, proof.config): proof for proof in proofs}
    needed: set[Line] = set()
    edges: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for proof in proofs:
        for name in proof.suppositions:
            if needs_no_payer(name):
                continue
            what = f"{proof.task} {proof.config} supposes {name}"
            line = next((each for each in lines if each.matches(proof.task, name)), None)
            if line is None:
                found.holes.append(f"{what}: no line of the ledger says who pays")
                continue
            needed.add(line)
            payers = _Payers(proof.config, name, asked, table)
            payment = next((each for each in line.payments if payers.state(each)), None)
            if payment is None:
                found.holes.append(f"{what}: no payer is in the table at this configuration")
                continue
            found.paid[proof.task, proof.config, name] = payment
            for payer in payers.of(payment):
                if isinstance(payment, Paid) and not payment.earlier:
                    edges.setdefault((proof.task, proof.config), set()).add(payer)
                if payer in asked and not asked[payer].proved:
                    found.holes.append(f"{what}: its payer {' '.join(payer)} is not proved")
    found.holes += [f"a circle of payers: {' -> '.join(each)}" for each in _circles(edges)]
    if set(table) <= set(asked):
        found.holes += [
            f"nobody needs the line of the ledger for {', '.join(line.names)} of"
            f" {', '.join(line.tasks)}"
            for line in lines
            if line not in needed
        ]
    return found


@dataclass(frozen=True)
class _Payers:
    """Who may pay for `supposition` at `config`: of those in the `table`, `asked` are known."""

    config: str
    supposition: str
    asked: Mapping[tuple[str, str], Proof]
    table: Collection[tuple[str, str]]

    def state(self, payment: Payment) -> bool:
        """Whether all claims of `payment` are stated, as far as is known."""
        if isinstance(payment, Alone | Unpaid) and payment.configs:
            return self.config in payment.configs
        if not isinstance(payment, Paid):
            return True
        for claim in payment.claims:
            payer = self._payer(claim)
            if payer is None:
                return False
            name = claim.name.replace("*", self.supposition)
            if name and payer in self.asked and name not in self.asked[payer].claims:
                return False
        return True

    def of(self, payment: Payment) -> Iterator[tuple[str, str]]:
        """The tasks that pay, each at the configuration."""
        if isinstance(payment, Paid):
            yield from (payer for claim in payment.claims if (payer := self._payer(claim)))

    def _payer(self, claim: Claim) -> tuple[str, str] | None:
        """The task of the claim: as it is, or with loops that run any number of times."""
        ids = (claim.task, f"{claim.task}_loops")
        pairs = ((id, self.config) for id in ids)
        return next((pair for pair in pairs if pair in self.table), None)


def _circles(edges: Mapping[tuple[str, str], set[tuple[str, str]]]) -> Iterator[list[str]]:
    """Each task that pays, over others, for itself: what pays for it supposes it."""
    state: dict[tuple[str, str], int] = {}
    path: list[tuple[str, str]] = []

    def visit(node: tuple[str, str]) -> Iterator[list[str]]:
        state[node] = 1
        path.append(node)
        for other in sorted(edges.get(node, ())):
            if state.get(other) == 1:
                yield [" ".join(each) for each in (*path[path.index(other) :], other)]
            elif other not in state:
                yield from visit(other)
        path.pop()
        state[node] = 2

    for node in sorted(edges):
        if node not in state:
            yield from visit(node)
