"""The verdict on each run of a property, as a sentence; empty if it is green."""

from formal.engines.outcome import Outcome
from formal.engines.table import Engine
from formal.model import Netlist
from formal.tasks.task import Task


def proof(task: Task, model: Netlist, answer: Outcome) -> str:
    """The error of a proof, or empty."""
    if answer.status == "FAIL":
        return f"violated: {', '.join(answer.named) or 'a claim'} after {answer.cycles} cycles"
    if answer.status == "UNKNOWN":
        return "unproved: no violation within the depth, but the induction does not hold"
    if answer.status != "PASS":
        return f"unproved: {answer.status.lower()} of the engine, see {answer.log}"
    if len(model.claims) != task.obligations:
        return f"{task.obligations} obligations declared, {len(model.claims)} stated"
    return _lost("obligations", model.claims, answer.found)


def confirmation(model: Netlist, answer: Outcome, first: Engine, second: Engine) -> tuple[str, str]:
    """The error of a repeated proof, or empty; and the reason if it does not confirm the first."""
    if answer.status == "TIMEOUT":
        return "", f"{second.name}: over {answer.seconds:.0f} s"
    if answer.status == "UNKNOWN" and not (first.induction and second.induction):
        return "", f"{second.name}: no induction without the invariants that {first.name} found"
    if answer.status != "PASS":
        status = f"{answer.status.lower()} {', '.join(answer.named)}".rstrip()
        return f"{second.name} disagrees with {first.name}: {status}, see {answer.log}", ""
    return _lost("obligations", model.claims, answer.found), ""


def cover(model: Netlist, narrowed: Netlist, answer: Outcome) -> str:
    """The error of a cover run, or empty.

    A witness reached from reset shows that the suppositions can be met, if all of them were used.
    """
    if not model.witnesses:
        return "vacuous: the theorem has no witness"
    missed = sorted(set(model.witnesses) - set(answer.named))
    if missed or answer.status != "PASS":
        return f"vacuous: witness not reached: {', '.join(missed) or answer.status.lower()}"
    dropped = sorted(set(model.suppositions) - set(narrowed.suppositions))
    if dropped:
        return f"vacuous: the model of the cover run does not suppose {', '.join(dropped)}"
    return _lost("suppositions", narrowed.suppositions, answer.assumed)


def bug(task: Task, model: Netlist, answer: Outcome) -> str:
    """The error of the run with the planted bug, or empty."""
    if answer.status != "FAIL" or not answer.named:
        return f"the planted bug is not caught ({answer.status.lower()}): {task.bug.name}"
    strange = sorted(set(answer.named) - set(model.claims))
    if strange:
        return f"the planted bug is caught by unknown claims: {', '.join(strange)}"
    return ""


def _lost(what: str, stated: list[str], found: tuple[str, ...]) -> str:
    if list(found) == sorted(stated):
        return ""
    lost = sorted(set(stated) - set(found))
    return f"{what} lost on the way to the engine: {', '.join(lost) or 'names differ'}"
