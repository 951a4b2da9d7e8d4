"""Models of the whole decoder for what a reset leaves behind."""

from collections.abc import Iterator

from amaranth import *
from amaranth.hdl import Fragment
from amaranth.hdl._mem import MemoryInstance

from design.decoder import Decoder
from formal.harness.assembled import of_layers
from formal.harness.leaks import ended_of
from formal.model import Model
from properties.reset import ResetForgets, ResetIsPowerOn
from spec.config import CacheBacking, Config


def _parts(fragment: Fragment) -> Iterator[Fragment]:
    """A fragment and all below it."""
    yield fragment
    for part, _, _ in fragment.subfragments:
        yield from _parts(part)


def _decoder(config: Config, external: bool) -> tuple[Decoder, Fragment]:
    dut = Decoder(config.with_cache(CacheBacking.EXTERNAL) if external else config)
    return dut, Fragment.get(dut, None)


def power_on(config: Config, *, external: bool = False, layers: int = 0) -> Model:
    """The decoder as it is, or with `layers` layers, and every register of it."""
    dut, inside = _decoder(of_layers(config, layers), external)

    def unit(name: str):
        return inside.find_subfragment(name).origins[0]

    registers = [
        register
        for part in _parts(inside)
        if "sync" in part.statements
        for register in part.statements["sync"]._lhs_signals()
    ]
    stages = [unit(name) for name in ("projection", "score", "value")]
    drain, writeback = unit("drain"), unit("writeback")
    theorem = ResetIsPowerOn(
        dut,
        registers=registers,
        working=[unit("token_sequencer").busy, *(stage.o.valid for stage in stages)],
        under_way=[
            unit("issue").o_valid,
            unit("array").sums_valid,
            unit("buffer").o_valid,
            drain.o_valid,
            drain.scores_valid,
            writeback.o_valid,
            writeback.scaled_valid,
        ],
    )
    return Model(dut, theorem, inside=inside)


def forgets(config: Config, *, external: bool = False) -> Model:
    """The decoder as it is, and what its memories show at every port."""
    dut, inside = _decoder(config, external)
    shown = [
        port._data
        for part in _parts(inside)
        if isinstance(part, MemoryInstance)
        for port in part._read_ports
    ]
    argmax = inside.find_subfragment("argmax").origins[0]
    theorem = ResetForgets(dut, shown=shown, argmax=argmax, ended=ended_of(inside))
    return Model(dut, theorem, inside=inside, outputs=theorem.outputs())
