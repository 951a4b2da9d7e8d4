"""The decoder simulated by Verilator, from the Verilog that Amaranth writes."""

from sim import verilated
from sim.build import FLAGS, Build, decoder_component
from sim.harness import Harness
from spec.config import Config


def build(config: Config) -> Build:
    """Build `config` with Verilator, or find it in the cache; raises as `verilated.build` does."""
    verilated.require()
    harness = Harness(config, decoder_component(config), traced=False)
    return verilated.build(config, harness, {}, FLAGS["fast"])
