"""Golden trace = RTL trace, value for value, on random models, tokens and stalls."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from gate.manifest import DRAWING
from sim.observed import ObservedRtl
from sim.replay import Run
from spec.config import CacheBacking, Config, Geometry, RopeBy
from spec.derived import derive
from spec.shape import Llama3Scaling, Shape
from tests.fuzz.hosts import HostMachine
from tests.fuzz.reproducer import check, judge
from tests.fuzz.strategies import cases, impolite_cases, models
from tests.strategies import NUMERICS, configs


def decoder(
    name: str,
    lanes: int,
    *sizes: int,
    numerics: str = "default",
    cache: CacheBacking = CacheBacking.ON_CHIP,
    rope_by: RopeBy = RopeBy.TABLE,
    **facts: Any,
) -> Config:
    shape = Shape.of_sizes(*sizes, **facts)
    geometry = Geometry(lanes=lanes, cache=cache)
    config = Config(name=name, shape=shape, numerics=NUMERICS[numerics], geometry=geometry)
    return config.with_rope(rope_by)


#: Stretched RoPE with fast, interpolated and slow pairs; several end-of-text ids.
LLAMA3 = dict(
    rope_base=20.0,
    rope_scaling=Llama3Scaling(
        factor=8, low_freq_factor=1, high_freq_factor=2, original_seq_len=20
    ),
    norm_epsilon=1e-3,
    end_ids=(0, 3, 7),
    bos=None,
)
#: Quite different shapes: dim, hidden, layers, heads, kv heads, vocab, seq len.
SHAPES = (
    decoder("mha", 8, 16, 11, 2, 4, 4, 13, 9),
    decoder("mqa", 4, 12, 7, 2, 6, 1, 10, 11, numerics="int8"),
    decoder("group4", 16, 32, 20, 1, 8, 2, 17, 12, numerics="half even"),
    decoder("one-lane", 1, 4, 3, 3, 2, 1, 5, 6, numerics="wide"),
    decoder("head-size-2", 32, 10, 13, 2, 5, 5, 9, 7, numerics="narrow"),
    decoder("least", 1, 2, 1, 1, 1, 1, 2, 1),
    # Its last stages end before a norm does: a token was once answered before its work was done.
    decoder("thin", 16, 8, 1, 2, 4, 1, 4, 7),
    decoder("odd", 2, 18, 23, 2, 3, 3, 11, 20, numerics="truncate"),
    # More, or fewer, elements of all heads than dim.
    decoder("biases", 8, 6, 9, 2, 4, 2, 12, 9, head_dim=6, qkv_bias=True, **LLAMA3),
    decoder(
        "biases-int8",
        2,
        14,
        9,
        2,
        2,
        1,
        9,
        7,
        numerics="int8",
        head_dim=2,
        qkv_bias=True,
        rope_base=1e6,
    ),
    # Floating-point operands, in column-split passes too; one exponent is plain fixed point.
    decoder("wide-state", 8, 16, 11, 2, 4, 2, 13, 9, numerics="wide state"),
    decoder("wider-state", 16, 18, 7, 2, 3, 3, 8, 6, numerics="wider state"),
    decoder("wide-residual", 1, 4, 5, 2, 2, 1, 7, 6, numerics="wide residual"),
    # The second position of a text comes before the angles of a long head are there.
    decoder("cordic", 32, 8, 3, 1, 1, 1, 6, 20, rope_by=RopeBy.CORDIC),
    decoder("cordic-group3", 4, 18, 7, 2, 3, 1, 10, 11, numerics="narrow", rope_by=RopeBy.CORDIC),
    # Several bursts a run and several windows; blocks that share a window; a window wider than
    # any block needs.
    decoder("external", 4, 20, 5, 2, 5, 5, 9, 40, cache=CacheBacking.EXTERNAL),
    decoder(
        "external-mqa", 2, 12, 7, 2, 6, 1, 10, 11, numerics="int8", cache=CacheBacking.EXTERNAL
    ),
    decoder("external-group3", 8, 24, 9, 2, 12, 4, 8, 7, cache=CacheBacking.EXTERNAL),
)

#: Those whose hosts are drawn as well: on the chip, outside, with ids that end a text often.
IMPOLITE = tuple(
    config for config in SHAPES if config.name in ("mha", "one-lane", "biases", "external-mqa")
)


def test_chosen_shapes_share_one_scalar_multiplier_and_have_three():
    covered = {(derive(config).turn, config.geometry.lanes == 1) for config in SHAPES}
    assert covered == {(1, False), (3, False), (3, True)}


@pytest.mark.parametrize("config", SHAPES, ids=lambda config: config.name)
def test_chosen_shapes(config: Config, fuzz_record, reproducer) -> None:
    """Many models and texts on a few shapes, which are built once, for speed."""
    # Beyond the end of the context, so that many cases include a restart.
    steps = st.integers(1, config.shape.seq_len + 3)

    @given(st.data())
    def run(data: st.DataObject) -> None:
        model = data.draw(models(config), label="model")
        case = data.draw(cases(config, steps), label="case")
        compared = check(model, case, "traced")
        compared.steer()
        fuzz_record(compared)

    with reproducer:
        run()


@pytest.mark.parametrize("config", IMPOLITE, ids=lambda config: config.name)
def test_hosts_that_do_as_they_like(config: Config, fuzz_record, reproducer) -> None:
    """Texts that begin and end anywhere, and tokens sampled or not."""

    @given(st.data())
    def run(data: st.DataObject) -> None:
        model = data.draw(models(config), label="model")
        case = data.draw(impolite_cases(config), label="case")
        compared = check(model, case, "traced")
        compared.steer()
        fuzz_record(compared)

    with reproducer:
        run()


@pytest.mark.parametrize("config", IMPOLITE, ids=lambda config: config.name)
def test_hosts_that_reset(config: Config, fuzz_record, rule_settings, reproducer) -> None:
    """The same and more, rule by rule: other stalls in between, and resets in any cycle."""

    def done(run: Run, rtl: ObservedRtl) -> None:
        compared = judge(run, rtl)
        compared.steer()
        fuzz_record(compared)

    with reproducer:
        run_state_machine_as_test(lambda: HostMachine(config, done), settings=rule_settings)


@pytest.mark.parametrize("part", range(DRAWING))
def test_random_shapes(part: int, fuzz_record, building_settings, reproducer) -> None:
    """Few models on many shapes: each is a design of its own, compiled for it."""

    @building_settings
    @given(st.data())
    def run(data: st.DataObject) -> None:
        config = data.draw(configs(), label="config")
        for _ in range(data.draw(st.integers(1, 3), label="models")):
            model = data.draw(models(config), label="model")
            case = data.draw(cases(config, st.just(config.shape.seq_len + 2)), label="case")
            fuzz_record(check(model, case))

    with reproducer:
        run()
