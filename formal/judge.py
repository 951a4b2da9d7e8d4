"""The verdict on each run of a property. All but an empty sentence is red."""

from formal.engines.outcome import Outcome
from formal.engines.table import Engine
from formal.model import Netlist
from formal.tasks.task import Task


def proof(task: Task, model: Netlist, answer: Outcome) -> str:
    """What is wrong with a proof, or nothing."""
    if answer.status == "FAIL":
        return f"violated: {', '.join(answer.named) or 'a claim'} after {answer.cycles} cycles"
    if answer.status == "UNKNOWN":
        return "unproved: no violation within the depth, but the induction does not hold"
    if answer.status != "PASS":
        return f"unproved: {answer.status.lower()} of engine, see {answer.log}"
    if len(model.claims) != task.obligations:
        return f"{task.obligations} obligations declared, {len(model.claims)} stated"
    return _lost("obligations", model.claims, answer.found)


def confirmation(model: Netlist, answer: Outcome, first: Engine, second: Engine) -> tuple[str, str]:
    """What is wrong with a repeated proof, or nothing; and why it confirms nothing, if so."""
    if answer.status == "TIMEOUT":
        return "", f"{second.name}: over {answer.seconds:.0f} s"
    if answer.status == "UNKNOWN" and not (first.induction and second.induction):
        return "", f"{second.name}: no induction without the invariants that {first.name} found"
    if answer.status != "PASS":
        told = f"{answer.status.lower()} {', '.join(answer.named)}".rstrip()
        return f"{second.name} disagrees with {first.name}: {told}, see {answer.log}", ""
    return _lost("obligations", model.claims, answer.found), ""


def cover(model: Netlist, narrowed: Netlist, answer: Outcome) -> str:
    """What is wrong with a cover run, or nothing.

    A witness reached from reset shows that what is supposed can be met, if all of it was supposed.
    """
    if not model.witnesses:
        return "vacuous: the theorem has no witness"
    missed = sorted(set(model.witnesses) - set(answer.named))
    if missed or answer.status != "PASS":
        return f"vacuous: witness not reached: {', '.join(missed) or answer.status.lower()}"
    dropped = sorted(set(model.suppositions) - set(narrowed.suppositions))
    if dropped:
        return f"vacuous: the search does not suppose {', '.join(dropped)}"
    return _lost("suppositions", narrowed.suppositions, answer.assumed)


def bug(task: Task, model: Netlist, answer: Outcome) -> str:
    """What is wrong with the run over the planted bug, or nothing."""
    if answer.status != "FAIL" or not answer.named:
        return f"the planted bug is not caught ({answer.status.lower()}): {task.bug.name}"
    strange = sorted(set(answer.named) - set(model.claims))
    if strange:
        return f"the planted bug is caught by what is not claimed: {', '.join(strange)}"
    return ""


def _lost(what: str, stated: list[str], found: tuple[str, ...]) -> str:
    if list(found) == sorted(stated):
        return ""
    lost = sorted(set(stated) - set(found))
    return f"{what} lost on the way to the engine: {', '.join(lost) or 'names differ'}"
