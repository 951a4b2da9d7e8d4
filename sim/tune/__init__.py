"""Rewrites the C++ that CXXRTL generates, so that it compiles in seconds and runs faster.

Every rule checks the form that it relies on, and leaves other text unchanged. All preserve the
behaviour for a caller that alternates between eval() and commit(), and reads only ports in between.
"""

from sim.tune.functions import write
from sim.tune.gating import add_gating, add_wakeups
from sim.tune.guards import add_guards, inline, merge, propagate_guards
from sim.tune.lanes import Arrays, roll
from sim.tune.order import order
from sim.tune.statements import parse


def tune(text: str, *, feedback: bool = False, observed: bool = False) -> str:
    """The generated source, rewritten.

    `feedback`: a combinational loop needs several evaluations, so nothing may change. `observed`:
    waveforms show all registers and signals between eval() and commit(), so all must be computed.
    """
    # The longest function, which runs once and needs no optimisation.
    text = text.replace("\nvoid p_top::reset()", "\nCXXRTL_EXTREMELY_COLD void p_top::reset()")
    if feedback:
        return text
    if observed:
        return _split(text) or text
    return _faster(text, rolled=True) or _faster(text, rolled=False) or text


def _split(text: str) -> str | None:
    """The same statements in the same order, in several functions."""
    source = parse(text)
    if source is None:
        return None
    kept = {name for statement in source.statements for name in statement.writes}
    return write(source, kept, Arrays(source))


def _faster(text: str, *, rolled: bool) -> str | None:
    """Fewer statements in a better order; None if no order is valid."""
    source = parse(text)
    if source is None:
        return None
    arrays = roll(source) if rolled else Arrays(source)
    add_guards(source)
    inline(source)
    propagate_guards(source)
    add_gating(source)
    kept = order(source, arrays.place)
    if kept is None:
        return None
    add_wakeups(source, arrays.place)
    merge(source)
    return write(source, kept, arrays)
