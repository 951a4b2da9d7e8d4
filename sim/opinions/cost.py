"""How long a case takes, before it is run."""

from golden.case import Case
from golden.quantise import Model
from golden.work import products

#: Cycles of a token besides its products, in the mean over small shapes.
_OVERHEAD = 250


def estimated_cycles(model: Model, case: Case) -> int:
    """About so many clock cycles, without stalls."""
    shape, lanes = model.config.shape, model.config.geometry.lanes
    each = (
        products(shape, step % shape.seq_len, classified=True) // lanes + _OVERHEAD
        for step in range(case.steps)
    )
    return sum(each)
