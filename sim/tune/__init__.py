"""Rewrites the C++ that CXXRTL generates, so that it compiles in seconds and runs faster.

Every rule checks the form that it relies on, and leaves other text unchanged. All preserve the
behaviour for a caller that alternates between eval() and commit(), and reads only ports in between.
"""

from sim.tune.functions import write
from sim.tune.gating import add_gating, add_wakeups
from sim.tune.guards import add_guards, propagate_guards
from sim.tune.lanes import roll
from sim.tune.order import order
from sim.tune.statements import parse

#: The rules that can be left out, for a measurement of what each is worth.
RULES = ("lanes", "guards", "gating", "propagation", "order", "neighbours")


def tune(
    text: str, *, feedback: bool = False, observed: bool = False, without: tuple[str, ...] = ()
) -> str:
    """The generated source, rewritten by all rules but those in `without`.

    `feedback`: a combinational loop needs several evaluations, so nothing may change. `observed`:
    waveforms show all registers and signals between eval() and commit(), so all must be computed,
    and the same statements are only spread over several functions.
    """
    # The longest function, which runs once and needs no optimisation.
    text = text.replace("\nvoid p_top::reset()", "\nCXXRTL_EXTREMELY_COLD void p_top::reset()")
    source = None if feedback else parse(text)
    if source is None:
        return text
    written = {name for statement in source.statements for name in statement.writes}
    if observed:
        return write(source, written)
    if "order" in without:  # which the other two rely on
        without = (*without, "lanes", "propagation")
    if "lanes" not in without:
        roll(source)
    if "guards" not in without:
        add_guards(source)
    if "gating" not in without:
        add_gating(source)
    if "propagation" not in without:
        propagate_guards(source)
    neighbours = "neighbours" not in without
    kept = written if "order" in without else order(source, neighbours=neighbours)
    if kept is None:  # an element of an array would need a second copy
        return tune(text, without=("lanes", *without))
    add_wakeups(source)
    return write(source, kept)
