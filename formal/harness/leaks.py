"""Models of the whole decoder for what its handshakes depend on."""

from design.config import CacheBacking, Config
from design.decoder import Decoder
from formal.model import Model
from properties.leaks import TimingLeaksNothing


def timing(config: Config, *, external: bool = False) -> Model:
    """The decoder as it is; with `external`, its cache in a memory behind the port."""
    if external:
        config = config.with_cache(CacheBacking.EXTERNAL)
    dut = Decoder(config)
    theorem = TimingLeaksNothing(dut)
    return Model(dut, theorem, outputs=theorem.outputs())
