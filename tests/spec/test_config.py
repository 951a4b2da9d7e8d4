"""Configurations: refused values and their messages, and bounds on the derived numbers."""

import dataclasses
import json
import re

import pytest
from hypothesis import given

from golden.quantise import column_fraction, row_formats
from spec.config import (
    CONFIGS,
    LANES,
    CacheBacking,
    Config,
    Geometry,
    Numerics,
    RopeBy,
    config_from_dict,
    config_to_dict,
    named,
    sum_format,
)
from spec.derived import (
    EXPONENT_STEP,
    MAX_SHIFT,
    SCALAR_BITS,
    SHIFT_BITS,
    ceil_div,
    ceil_pow2,
    derive,
    exponents,
    mantissa_bits,
    sum_width,
)
from spec.fixed import SQ, Rounding
from spec.schedule import ops
from tests.design.support import decoder
from tests.strategies import NUMERICS, configs
from tools.errors import BadInput
from tools.sources import ROOT

SIZES = dict(dim=8, hidden=12, layers=2, heads=4, kv_heads=2, vocab=16, seq_len=8)
DOCS = ROOT / "docs" / "numerics.md"
EVERY_CONFIG = [config.with_lanes(lanes) for config in CONFIGS.values() for lanes in LANES]


def refused(message: str):
    return pytest.raises(BadInput, match=f"^{re.escape(message)}$")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"weight_bits": 12}, "Numerics.weight_bits = 12 must be one of (8, 16)"),
        ({"silu": SQ(6, 13)}, "Numerics.silu = SQ(6, 13) is wider than 18 bits"),
        *(
            ({name: SQ(20, 13)}, f"Numerics.{name} = SQ(20, 13) is wider than 32 bits")
            for name in ("residual", "ffn")
        ),
        *(
            ({name: SQ(6, 11)}, f"Numerics.{name} = SQ(6, 11) is wider than 16 bits")
            for name in ("q", "k", "v", "attention", "gate", "up", "logits")
        ),
        ({"weight": SQ(1, 18)}, "Numerics.weight = SQ(1, 18) is wider than 18 bits"),
        ({"rope": SQ(2, 17)}, "Numerics.rope = SQ(2, 17) is wider than 18 bits"),
        ({"score": SQ(23, 10)}, "Numerics.score = SQ(23, 10) is wider than 32 bits"),
        (
            {"score": SQ(11, 3)},
            "Numerics.score = SQ(11, 3) needs 4 to 12 fraction bits (exp2 index)",
        ),
        (
            {"score": SQ(11, 13)},
            "Numerics.score = SQ(11, 13) needs 4 to 12 fraction bits (exp2 index)",
        ),
        (
            {"weight": SQ(2, 14)},
            "Numerics.weight = SQ(2, 14) must be SQ(1, f): weights are in [0, 1)",
        ),
        ({"rope": SQ(1, 15)}, "Numerics.rope = SQ(1, 15) must be SQ(2, f): it holds -1 and 1"),
        ({"rope_by": "table"}, "Numerics.rope_by = 'table' must be a RopeBy"),
        ({"rsqrt_index_bits": 3}, "Numerics.rsqrt_index_bits = 3 must be 4 to 12"),
        ({"reciprocal_index_bits": 13}, "Numerics.reciprocal_index_bits = 13 must be 4 to 12"),
        ({"sigmoid_index_bits": 0}, "Numerics.sigmoid_index_bits = 0 must be 4 to 12"),
        ({"up_gains": (0, 5)}, "Numerics.up_gains holds 5, which must be 0 to 4"),
        ({"v_gains": (-1,)}, "Numerics.v_gains holds -1, which must be 0 to 4"),
        ({"gate": SQ(4, 4)}, "Numerics.gate = SQ(4, 4) is narrower than sigmoid_index_bits"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_numerics_are_refused(changed, message):
    with refused(message):
        Numerics(**changed)


def test_formats_need_two_bits():
    with refused("format SQ(3, -2) has 1 bits, needs 2"):
        SQ(3, -2)
    form = SQ(4, -1)
    assert (form.width, form.min, form.max, form.scale) == (3, -4, 3, 0.5)
    assert str(form) == "SQ(4, -1)"


@pytest.mark.parametrize("lanes", [0, -8, 3, 256, "8", None])
def test_lanes(lanes):
    with refused(f"Geometry.lanes = {lanes!r} must be one of {LANES}"):
        Geometry(lanes=lanes)


@pytest.mark.parametrize("cache", ["external", None, True])
def test_cache(cache):
    with refused(f"Geometry.cache = {cache!r} must be a CacheBacking"):
        Geometry(cache=cache)


def test_lanes_and_cache_are_changed_one_by_one():
    config = named("llama2_7b")
    assert config.with_lanes(4).geometry == Geometry(lanes=4, cache=CacheBacking.EXTERNAL)
    on_chip = config.with_cache(CacheBacking.ON_CHIP)
    assert on_chip.geometry == Geometry(lanes=128, cache=CacheBacking.ON_CHIP)


def test_names():
    assert named("nano") is CONFIGS["nano"]
    with refused(f"configuration 'micro' is not one of {', '.join(CONFIGS)}"):
        named("micro")


@pytest.mark.parametrize(
    ("changed", "name", "missing"),
    [
        ({"score": SQ(4, 12), "q": SQ(11, 5), "k": SQ(10, 6)}, "score", 1),
        ({"attention": SQ(-4, 20), "v": SQ(13, 3)}, "attention", 3),
        ({"gate": SQ(17, -5), "silu": SQ(2, 14)}, "silu", 3),
        ({"silu": SQ(13, 2), "up": SQ(13, 2), "ffn": SQ(5, 8)}, "ffn", 4),
    ],
)
def test_more_fraction_bits_than_the_operands_have(changed, name, missing):
    config = named("nano").with_numerics(Numerics(**changed))
    with refused(
        f"Numerics.{name} = {changed[name]} has {missing} fraction bits more than its operands"
    ):
        derive(config)


@pytest.mark.parametrize("config", CONFIGS.values(), ids=list(CONFIGS))
def test_round_trip_of_named_instances(config):
    assert config_from_dict(json.loads(json.dumps(config_to_dict(config)))) == config


def documented_formats() -> list[tuple[str, str, SQ]]:
    """Tensor, column and format of the table in docs/numerics.md; an empty cell is the default."""
    rows = re.findall(r"^\| (.+?) \| (SQ.+?) \|(.*?)\|$", DOCS.read_text("utf-8"), re.MULTILINE)
    formats = []
    for names, default, ours in rows:
        for name in re.findall(r"\w+", re.split(":|, in units", names)[0]):
            for column, cell in (("default", default), ("stories260k", ours.strip() or default)):
                i, f = map(int, re.findall(r"\d+", cell))
                formats.append((name, column, SQ(i, f)))
    return formats


@pytest.mark.parametrize(("tensor", "column", "expected"), documented_formats())
def test_formats_are_those_in_the_docs(tensor, column, expected):
    numerics = Numerics() if column == "default" else named(column).numerics
    assert getattr(numerics, tensor) == expected


def test_every_format_is_in_the_docs():
    formats = {name for name, value in vars(Numerics()).items() if isinstance(value, SQ)}
    assert {tensor for tensor, _, _ in documented_formats()} == formats


def test_defaults_other_than_formats():
    """Files of configurations, and images of weights, were made with them."""
    numerics = {n: v for n, v in vars(Numerics()).items() if not isinstance(v, SQ)}
    assert numerics == {
        "weight_bits": 16,
        "rounding": Rounding.HALF_UP,
        "rope_by": RopeBy.TABLE,
        "rsqrt_index_bits": 8,
        "reciprocal_index_bits": 8,
        "sigmoid_index_bits": 9,
        "weight_magnitude": 3,
        "v_gains": (),
        "up_gains": (),
    }
    assert vars(Geometry()) == {"lanes": 8, "cache": CacheBacking.ON_CHIP}


def test_a_shape_of_sizes_alone_has_the_defaults():
    values = config_to_dict(named("nano"))
    sizes = {name: values["shape"][name] for name in SIZES}
    assert config_from_dict(values | {"shape": sizes}) == named("nano")


def test_a_file_that_does_not_say_rotates_by_table():
    values = config_to_dict(named("nano"))
    del values["numerics"]["rope_by"]
    assert config_from_dict(values) == named("nano")


@pytest.mark.parametrize(
    ("kind", "part", "field"),
    [
        (RopeBy, "numerics", "rope_by"),
        (Rounding, "numerics", "rounding"),
        (CacheBacking, "geometry", "cache"),
    ],
)
@pytest.mark.parametrize("value", ["spline", 3, None, ["table"]])
def test_a_variant_that_does_not_exist_lists_those_that_do(kind, part, field, value):
    values = config_to_dict(named("nano"))
    values[part][field] = value
    names = ", ".join(each.value for each in kind)
    with refused(f"{part.capitalize()}.{field} = {value!r} is not one of {names}"):
        config_from_dict(values)


@given(configs())
def test_round_trip(config):
    assert config_from_dict(json.loads(json.dumps(config_to_dict(config)))) == config


@pytest.mark.parametrize(
    "changed",
    [
        {"shape": SIZES | {"depth": 3}},
        {"shape": SIZES | {"rope_scaling": {"factor": 2.0}}},
        {"geometry": {"lanes": 5, "cache": "on-chip"}},
        {"geometry": {"lanes": 4, "cache": "flash"}},
        {"geometry": {"lanes": 4}},
        {"numerics": {"rounding": "up"}},
        {"numerics": {}},
        {"name": None, "shape": {}},
    ],
)
def test_malformed_dicts_are_refused(changed):
    with pytest.raises((BadInput, TypeError, KeyError, ValueError)):
        config_from_dict(config_to_dict(named("nano")) | changed)


def largest_operand(form: SQ) -> int:
    """The largest magnitude that an operand of `form` can represent."""
    return 1 << (mantissa_bits(form) - 1 + EXPONENT_STEP * (exponents(form) - 1))


@pytest.mark.parametrize(
    ("width", "count"),
    [(2, 1), (18, 1), (19, 2), (21, 2), (22, 3), (25, 3), (26, 4), (29, 4), (30, 5), (32, 5)],
)
def test_exponents(width, count):
    form = SQ(width, 0)
    assert exponents(form) == count
    # The largest magnitude, even after rounding up, fits the mantissa; with one exponent fewer
    # it would not.
    most = -form.min >> EXPONENT_STEP * (count - 1)
    assert most < 1 << (SCALAR_BITS - 1) or count == 1
    assert count == 1 or most << EXPONENT_STEP >= 1 << (SCALAR_BITS - 1)


def worst_sums(config: Config):
    """The largest magnitude of each sum that an accumulator computes."""
    shape, n, one = config.shape, config.numerics, derive(config).one
    weight = 1 << (n.weight_bits - 1)
    yield weight * one
    yield MAX_SHIFT
    for terms, form in ((shape.dim, n.residual), (shape.q_dim, n.attention), (shape.hidden, n.ffn)):
        yield terms * weight * -form.min
        yield terms * weight * largest_operand(form)
    yield shape.head_dim * n.q.min * n.k.min
    yield shape.seq_len * -n.v.min * n.weight.max


def check_derived(config: Config):
    shape, n, derived = config.shape, config.numerics, derive(config)
    assert derived.slots * derived.per_slot == config.geometry.lanes
    assert derived.slots == ceil_pow2(derived.slots) <= 8
    assert derived.head_blocks == ceil_div(shape.heads, derived.slots)
    assert derived.v_words * derived.v_word >= shape.head_dim
    assert (derived.v_words - 1) * derived.v_word < shape.head_dim
    assert derived.k_word <= derived.per_slot and derived.v_word <= derived.per_slot

    most = (1 << (derived.acc_width - 1)) - 1
    assert max(worst_sums(config)) <= most
    assert derived.a_width >= max(n.weight_bits, n.k.width, n.v.width)
    assert derived.b_width >= max(
        mantissa_bits(form) for form in (n.residual, n.q, n.weight, n.attention, n.ffn)
    )
    assert derived.one == 2**derived.one_format.f <= derived.one_format.max
    assert derived.one_format.width == derived.b_width
    assert shape.seq_len * n.weight.max < 1 << derived.softmax_sum_width
    assert derived.epsilon >= 1 and derived.square_sum_width % 2 == 0
    assert derived.scalar_multipliers * derived.turn == 3
    # A pass lasts one beat for each column, and one for the header.
    assert (derived.turn == 3) == (3 * config.geometry.lanes <= shape.dim + 1)
    # A header is never negative.
    bits = SHIFT_BITS * derived.header_passes
    assert derived.header_passes > 0 and bits < n.weight_bits <= bits + SHIFT_BITS
    check_shifts(config)


def check_shifts(config: Config):
    """No header needs a negative right shift, and the largest shift fits."""
    shape, n, derived = config.shape, config.numerics, derive(config)
    assert 4**derived.norm_floor <= derived.epsilon < 4 ** (derived.norm_floor + 1)
    assert 4 ** (derived.norm_growth - 1) < shape.dim <= 4**derived.norm_growth
    # The right shift in the header of a row whose largest weight is just below 8.
    headers = [
        n.weight_bits - 4 + column_fraction(config, op) + derived.lead - form.f
        for op in ops(config)
        for form in set(row_formats(config, op))
    ]
    assert min(headers) == 0 if derived.lead else min(headers) >= 0

    square_sum = shape.dim * largest_operand(n.residual) ** 2 + derived.epsilon
    assert square_sum < 1 << derived.square_sum_width
    exponent = (square_sum.bit_length() - 1) // 2
    softmax_exponent = (shape.seq_len * n.weight.max).bit_length() - 1
    largest = max(
        MAX_SHIFT + exponent - derived.norm_floor,
        softmax_exponent + n.v.f - n.attention.f + derived.lead,
    )
    assert largest < 1 << derived.shift_width


@pytest.mark.parametrize("config", EVERY_CONFIG, ids=lambda c: f"{c.name}-{c.geometry.lanes}")
def test_derived_numbers_of_named_instances(config):
    check_derived(config)


@pytest.mark.parametrize("numerics", NUMERICS.values(), ids=list(NUMERICS))
def test_derived_numbers_of_number_systems(numerics):
    for config in (named("nano"), named("llama2_70b")):
        check_derived(config.with_numerics(numerics))


@pytest.mark.parametrize(
    "sizes",
    [
        (4, 4, 1, 1, 1, 4, 64),  # values
        (64, 4, 1, 1, 1, 4, 2),  # scores
        (4, 1 << 20, 1, 1, 1, 4, 2),  # the down projection
        (1 << 14, 2, 1, 1 << 13, 1, 4, 2),  # the others
    ],
)
@pytest.mark.parametrize("numerics", NUMERICS)
def test_whichever_sum_is_the_widest(sizes, numerics):
    check_derived(decoder(4, *sizes, numerics=numerics))


@given(configs())
def test_derived_numbers(config):
    check_derived(config)


def test_sums_of_the_most_negative_factors_just_fit():
    # 3 * (-8 * -8) = 192 needs 9 signed bits; 4 of them = 256 needs 10.
    assert (sum_width(3, 4, 4), sum_width(4, 4, 4)) == (9, 10)


def test_a_sum_has_two_bits_more_than_its_tensor():
    assert sum_format(SQ(5, 11)) == SQ(7, 11)


def test_configurations_are_values():
    config = named("nano")
    numerics = dataclasses.replace(config.numerics, rounding=Rounding.TRUNCATE)
    assert config.with_lanes(4) == config
    assert config.with_numerics(numerics) != config
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.name = "other"  # type: ignore[misc]
