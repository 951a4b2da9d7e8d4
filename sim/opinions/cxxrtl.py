"""The RTL in CXXRTL, with its trace: as yosys writes it, and as we rewrite that."""

from golden.case import Case
from golden.image import pack
from golden.quantise import Model
from sim.rtl_decoder import RtlDecoder


def plain(model: Model, case: Case) -> RtlDecoder:
    """Without any of our rewriting and arithmetic."""
    return RtlDecoder(model.config, pack(model), "plain", case.stalls, quiet=True)


def tuned(model: Model, case: Case) -> RtlDecoder:
    """As `python -m sim replay` runs it."""
    return RtlDecoder(model.config, pack(model), "quick", case.stalls, quiet=True)
