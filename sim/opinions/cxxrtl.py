"""The RTL in CXXRTL, with its trace: as yosys writes it, and as we rewrite that."""

from golden.case import Case
from golden.image import pack
from golden.quantise import Model
from sim.build import Variant
from sim.rtl_decoder import RtlDecoder


def plain(model: Model, case: Case) -> RtlDecoder:
    """Without any of our rewriting and arithmetic."""
    return _simulated(model, case, "plain")


def tuned(model: Model, case: Case) -> RtlDecoder:
    """As `python -m sim replay` runs it."""
    return _simulated(model, case, "quick")


def _simulated(model: Model, case: Case, variant: Variant) -> RtlDecoder:
    image = pack(model)
    return RtlDecoder(model.config, image, variant, case.stalls, quiet=True, resettable=case.resets)
