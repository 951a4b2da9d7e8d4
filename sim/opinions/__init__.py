"""Other opinions on a case: the same tokens decoded by everything here that can decode.

Each is a `sim.compare.Decoder`, ``feed(Feed) -> Step``, and `OPINIONS` names how it is made.
"""

import enum
from collections.abc import Callable, Mapping

from golden.case import Case
from golden.quantise import Model
from sim.compare import Decoder
from sim.opinions import amaranth, cxxrtl, golden, verilog


class Opinion(enum.StrEnum):
    """Who decodes."""

    PAGE = "page"
    """Golden as the page, `golden.decoder`: the specification."""
    FAST = "fast"
    """Golden in float64 and compiled loops, `golden.fast`."""
    PLAIN = "plain"
    """The RTL in CXXRTL, as yosys writes it."""
    TUNED = "tuned"
    """The same, rewritten by `sim.tune`."""
    VERILOG = "verilog"
    """The text of `design.export` in Verilator."""
    AMARANTH = "amaranth"
    """The RTL in Amaranth's own simulator, in Python."""


#: Raises `tools.errors.BadInput`, with the reason, where an opinion cannot be had.
OPINIONS: Mapping[Opinion, Callable[[Model, Case], Decoder]] = {
    Opinion.PAGE: golden.page,
    Opinion.FAST: golden.fast,
    Opinion.PLAIN: cxxrtl.plain,
    Opinion.TUNED: cxxrtl.tuned,
    Opinion.VERILOG: verilog.exported,
    Opinion.AMARANTH: amaranth.interpreted,
}
