"""The lines of the ledger: the suppositions of each theorem, and the claims that pay for them.

Most are paid by `composition.duties`: the same condition, proved for the whole decoder by
reachability. Where `properties.loops` abstracts loop counts, suppositions about counts are paid by
a chain: a claim of the stage that offers the data, and claims of all links after it that they pass
the data on, unchanged and in order.
"""

from formal.ledger import arithmetic, cache, control, cutpoints, dataflow, softmax
from formal.ledger.audit import Line

LINES: tuple[Line, ...] = (
    *cache.LINES,
    *control.LINES,
    *dataflow.LINES,
    *arithmetic.LINES,
    *softmax.LINES,
    *cutpoints.LINES,
)
