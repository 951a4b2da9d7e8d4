"""Rewrites the C++ that CXXRTL generates, so that it compiles in seconds and runs faster.

Every rule checks the shape it relies on and leaves alone what it does not know. All keep the
meaning of the text for a caller that alternates between eval() and commit(), and that looks at
ports only.
"""

from sim.tune.functions import write
from sim.tune.guards import add_guards, merge
from sim.tune.order import order
from sim.tune.statements import parse


def tune(text: str, *, feedback: bool) -> str:
    """The generated source, rewritten; as it is when a loop (`feedback`) needs evaluating twice."""
    # The longest function, run once: not worth any optimisation.
    text = text.replace("\nvoid p_top::reset()", "\nCXXRTL_EXTREMELY_COLD void p_top::reset()")
    source = None if feedback else parse(text)
    if source is None:
        return text
    add_guards(source)
    kept = order(source)
    merge(source)
    return write(source, kept)
