"""Rewrites the C++ that CXXRTL generates, so that it compiles in seconds and runs faster.

Every rule checks the shape it relies on and leaves alone what it does not know. All keep the
meaning of the text for a caller that alternates between eval() and commit(), and that looks at
nothing but ports in between.
"""

from sim.tune.functions import write
from sim.tune.guards import add_guards, hand_on, inline, merge
from sim.tune.lanes import Arrays, roll
from sim.tune.order import order
from sim.tune.sleep import add_sleep, watch
from sim.tune.statements import parse


def tune(text: str, *, feedback: bool = False, observed: bool = False) -> str:
    """The generated source, rewritten.

    `feedback`: a combinational loop needs several evaluations, so nothing may change. `observed`:
    waveforms show all registers and signals between eval() and commit(), so the work must stay.
    """
    # The longest function, run once: not worth any optimisation.
    text = text.replace("\nvoid p_top::reset()", "\nCXXRTL_EXTREMELY_COLD void p_top::reset()")
    if feedback:
        return text
    if observed:
        return _cut(text) or text
    return _faster(text, rolled=True) or _faster(text, rolled=False) or text


def _cut(text: str) -> str | None:
    """The same work in the same order, in several functions."""
    source = parse(text)
    if source is None:
        return None
    kept = {name for statement in source.statements for name in statement.writes}
    return write(source, kept, Arrays(source))


def _faster(text: str, *, rolled: bool) -> str | None:
    """Less work in a better order; None if that cannot be."""
    source = parse(text)
    if source is None:
        return None
    arrays = roll(source) if rolled else Arrays(source)
    add_guards(source)
    inline(source)
    hand_on(source)
    add_sleep(source)
    kept = order(source, arrays.place)
    if kept is None:
        return None
    watch(source, arrays.place)
    merge(source)
    return write(source, kept, arrays)
