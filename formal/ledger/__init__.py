"""The lines of the ledger: what each theorem supposes, and which claims pay for it.

Most are paid by `composition.duties`: the same condition, claimed of the whole decoder by
reachability. What counts through loops that `properties.loops` runs any number of times is paid at
those configurations by a chain: what a stage offers is claimed of the stage, and what carries it
on, unchanged and in order, of each link behind it.
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
