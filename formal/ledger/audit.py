"""The audit of the ledger: the payer of each supposition of a proof.

A theorem about a component makes suppositions about its environment. Each supposition has a payer:
a claim proved for the component that drives it, at the same configuration; or the outside, for
obligations of a host or a memory at the decoder's own ports. A supposition without a payer, a payer
that is not proved at that configuration, a cycle of payers that is not closed by induction over
time, and an unused line are red. The other files of this folder hold the lines.

Claims about the whole decoder suppose only the outside and the abstractions of cutpoints.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from formal.runner import Result
from formal.tasks.task import Task
from properties.dialect import CHOSEN


@dataclass(frozen=True)
class Claim:
    """The claim `name` of the task `task`, or, without a name, all of its claims."""

    task: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.task}: {self.name}" if self.name else self.task


@dataclass(frozen=True)
class Paid:
    """These claims together pay; `because` explains how, unless they are the same condition.

    `earlier`: the claims are needed only for earlier cycles (`Theorem.suppose_before`, or after a
    register), so that a cycle through this payment is closed by induction over time.
    """

    claims: tuple[Claim, ...]
    because: str = ""
    earlier: bool = False


@dataclass(frozen=True)
class Outside:
    """An obligation of the environment at a port of the decoder; `where` it is documented and
    checked."""

    where: str


@dataclass(frozen=True)
class Alone:
    """The component is proved alone at `configs`, without a proof of the whole decoder: `why`."""

    why: str
    configs: tuple[str, ...]


@dataclass(frozen=True)
class Unpaid:
    """No payer yet: `why`. Counted in each summary; the README explains what is left open.

    With `configs`, only at those.
    """

    why: str
    configs: tuple[str, ...] = ()


Payment = Paid | Outside | Alone | Unpaid


@dataclass(frozen=True)
class Line:
    """The payment for suppositions of tasks: the first of `payments` whose claims are in the table
    at the configuration. `tasks` and `names` are patterns like those of file names."""

    tasks: tuple[str, ...]
    names: tuple[str, ...]
    payments: tuple[Payment, ...]

    def matches(self, task: str, name: str) -> bool:
        """Whether this is the line for the supposition `name` of `task`."""
        return any(fnmatchcase(task, pattern) for pattern in self.tasks) and any(
            fnmatchcase(name, pattern) for pattern in self.names
        )


@dataclass(frozen=True)
class Proof:
    """The result of a task at a configuration, as far as the ledger needs it."""

    task: str
    config: str
    claims: Collection[str]
    suppositions: Collection[str]
    proved: bool


def proofs(results: Sequence[Result]) -> list[Proof]:
    """The results of the runner as input of the audit."""
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
    """The result of an audit: `holes`, as sentences, and the payment of each supposition."""

    holes: list[str] = field(default_factory=list)
    paid: dict[tuple[str, str, str], Payment] = field(default_factory=dict)

    def summary(self) -> str:
        """The numbers of suppositions by kind of payment, in one line."""
        kinds = {
            Paid: "by claims",
            Outside: "by the outside",
            Alone: "of components alone",
            Unpaid: "unpaid",
        }
        counts = (
            (sum(isinstance(payment, kind) for payment in self.paid.values()), words)
            for kind, words in kinds.items()
        )
        listed = ", ".join(f"{count} {words}" for count, words in counts if count)
        return f"suppositions: {listed or 'none'}"


def needs_no_payer(name: str) -> bool:
    """Whether a supposition only restricts the theorem to an existing element."""
    return name.startswith(CHOSEN)


def audit(
    lines: Sequence[Line], proofs: Sequence[Proof], table: Collection[tuple[str, str]]
) -> Audit:
    """Find the payer of each supposition of `proofs`.

    `table` are all tasks and configurations. A payer that is in the table but not among the proofs
    is accepted; if all were run, unused lines are holes, too.
    """
    result = Audit()
    run = {(proof.task, proof.config): proof for proof in proofs}
    needed: set[Line] = set()
    edges: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for proof in proofs:
        for name in proof.suppositions:
            if needs_no_payer(name):
                continue
            supposition = f"{proof.task} {proof.config} supposes {name}"
            line = next((line for line in lines if line.matches(proof.task, name)), None)
            if line is None:
                result.holes.append(f"{supposition}: no line of the ledger names a payer")
                continue
            needed.add(line)
            payers = _Payers(proof.config, name, run, table)
            payment = next((option for option in line.payments if payers.state(option)), None)
            if payment is None:
                result.holes.append(f"{supposition}: no payer in the table at this configuration")
                continue
            result.paid[proof.task, proof.config, name] = payment
            for payer in payers.of(payment):
                if isinstance(payment, Paid) and not payment.earlier:
                    edges.setdefault((proof.task, proof.config), set()).add(payer)
                if payer in run and not run[payer].proved:
                    result.holes.append(f"{supposition}: its payer {' '.join(payer)} is not proved")
    result.holes += [f"a cycle of payers: {' -> '.join(cycle)}" for cycle in _cycles(edges)]
    if set(table) <= set(run):
        result.holes += [
            f"unused line of the ledger for {', '.join(line.names)} of {', '.join(line.tasks)}"
            for line in lines
            if line not in needed
        ]
    return result


@dataclass(frozen=True)
class _Payers:
    """The possible payers of `supposition` at `config`, from the `table`; `run` are the results."""

    config: str
    supposition: str
    run: Mapping[tuple[str, str], Proof]
    table: Collection[tuple[str, str]]

    def state(self, payment: Payment) -> bool:
        """Whether all claims of `payment` exist, as far as is known."""
        if isinstance(payment, Alone | Unpaid) and payment.configs:
            return self.config in payment.configs
        if not isinstance(payment, Paid):
            return True
        for claim in payment.claims:
            payer = self._payer(claim)
            if payer is None:
                return False
            name = claim.name.replace("*", self.supposition)
            if name and payer in self.run and name not in self.run[payer].claims:
                return False
        return True

    def of(self, payment: Payment) -> Iterator[tuple[str, str]]:
        """The paying tasks, with the configuration."""
        if isinstance(payment, Paid):
            yield from (payer for claim in payment.claims if (payer := self._payer(claim)))

    def _payer(self, claim: Claim) -> tuple[str, str] | None:
        """The task of the claim, or its variant with abstracted loop counts."""
        ids = (claim.task, f"{claim.task}_loops")
        pairs = ((id, self.config) for id in ids)
        return next((pair for pair in pairs if pair in self.table), None)


def _cycles(edges: Mapping[tuple[str, str], set[tuple[str, str]]]) -> Iterator[list[str]]:
    """The cycles of payers: tasks that, over others, pay for themselves."""
    state: dict[tuple[str, str], int] = {}
    path: list[tuple[str, str]] = []

    def visit(node: tuple[str, str]) -> Iterator[list[str]]:
        state[node] = 1
        path.append(node)
        for other in sorted(edges.get(node, ())):
            if state.get(other) == 1:
                yield [" ".join(task) for task in (*path[path.index(other) :], other)]
            elif other not in state:
                yield from visit(other)
        path.pop()
        state[node] = 2

    for node in sorted(edges):
        if node not in state:
            yield from visit(node)
