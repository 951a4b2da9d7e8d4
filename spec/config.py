"""The parameters of a decoder (shape, numerics, geometry), and the named instances.

Numbers that follow from a configuration are computed in `spec.derived`.
"""

import dataclasses
import enum
import hashlib
import json
from dataclasses import dataclass
from typing import Any, TypeVar

from spec.fixed import SQ, Rounding
from spec.shape import Llama3Scaling, Shape, shape_from_dict, shape_to_dict
from tools.errors import BadInput

LANES = (1, 2, 4, 8, 16, 32, 64, 128)
WEIGHT_BITS = (8, 16)


#: Tensors that leave the array as a sum times a factor between 1/4 and 1.
SCALED = ("q", "k", "v", "attention", "gate", "up", "logits")
#: Most additional fraction bits of a layer, compared with its tensor's format.
MAX_GAIN = 4
#: Additional integer bits of a sum before it is multiplied by its factor.
SUM_HEADROOM = 2


def sum_format(form: SQ) -> SQ:
    """The format of a sum before its factor, for a tensor of format `form`."""
    return SQ(form.i + SUM_HEADROOM, form.f)


class RopeBy(enum.Enum):
    """Where the cosines and sines of RoPE come from."""

    TABLE = "table"
    """A table of every position and pair."""
    CORDIC = "cordic"
    """Rotations by shifts and additions, for each token."""


@dataclass(frozen=True, kw_only=True)
class Numerics:
    """A format per tensor, the rounding mode, and the resolution of the function tables.

    Weights are `weight_bits` wide integers; the power-of-two exponent of each output row travels
    in the weight stream as the right shift that brings that row's sum to its tensor's format.
    Scores are in units of log2(e) (the factor log2(e)/sqrt(head_dim) is folded into Wq), and have
    as many fraction bits as the exp2 table has index bits, so that the table uses all of them.

    The tensors in `SCALED` are a sum, rounded to `sum_format`, times a factor: 1 / rms of the
    residual, or the reciprocal of a softmax sum.

    `residual` and `ffn` may be wider than a multiplier's operand: matrices and norm then read them
    rounded to a floating-point operand, see `design.operand`. Real models need this: single
    elements are a thousand times as large as the rest.

    The magnitude of layers differs, too. In layer n, `v` and attention have ``v_gains[n]`` more
    fraction bits and as many integer bits less; the same holds for `up` and `ffn` with
    ``up_gains[n]``. An empty tuple means no gains. Gains change only the weights and their shifts.
    """

    weight_bits: int = 16
    rounding: Rounding = Rounding.HALF_UP
    residual: SQ = SQ(6, 12)
    q: SQ = SQ(6, 10)
    k: SQ = SQ(6, 10)
    v: SQ = SQ(4, 12)
    score: SQ = SQ(11, 10)
    attention: SQ = SQ(3, 13)
    gate: SQ = SQ(5, 11)
    up: SQ = SQ(5, 11)
    silu: SQ = SQ(5, 11)
    ffn: SQ = SQ(5, 11)
    logits: SQ = SQ(6, 10)
    weight: SQ = SQ(1, 15)  # softmax weights exp2(score - max), 1.0 saturates to max
    rope: SQ = SQ(2, 14)
    rope_by: RopeBy = RopeBy.TABLE
    rsqrt_index_bits: int = 8
    reciprocal_index_bits: int = 8
    sigmoid_index_bits: int = 9
    weight_magnitude: int = 3  # every weight, with the norm's gain folded in, is below 2**3
    v_gains: tuple[int, ...] = ()
    up_gains: tuple[int, ...] = ()

    def __post_init__(self):
        if self.weight_bits not in WEIGHT_BITS:
            raise BadInput(
                f"Numerics.weight_bits = {self.weight_bits} must be one of {WEIGHT_BITS}"
            )
        # The operand of a scalar multiplier has 18 bits. The vectors that `design.operand` rounds
        # to such operands have at most the 32 bits of a traced value.
        widest = dict.fromkeys(("silu", "weight", "rope"), 18)
        widest |= dict.fromkeys(("residual", "ffn"), 32)
        widest |= dict.fromkeys(SCALED, 18 - SUM_HEADROOM) | {"score": 32}
        for name, width in widest.items():
            if getattr(self, name).width > width:
                raise BadInput(
                    f"Numerics.{name} = {getattr(self, name)} is wider than {width} bits"
                )
        if not 4 <= self.score.f <= 12:
            raise BadInput(
                f"Numerics.score = {self.score} needs 4 to 12 fraction bits (exp2 index)"
            )
        if self.weight.i != 1:
            raise BadInput(
                f"Numerics.weight = {self.weight} must be SQ(1, f): weights are in [0, 1)"
            )
        if self.rope.i != 2:
            raise BadInput(f"Numerics.rope = {self.rope} must be SQ(2, f): it holds -1 and 1")
        if not isinstance(self.rope_by, RopeBy):
            raise BadInput(f"Numerics.rope_by = {self.rope_by!r} must be a RopeBy")
        for name in ("rsqrt_index_bits", "reciprocal_index_bits", "sigmoid_index_bits"):
            if not 4 <= getattr(self, name) <= 12:
                raise BadInput(f"Numerics.{name} = {getattr(self, name)} must be 4 to 12")
        if not 0 <= self.weight_magnitude <= 24:
            raise BadInput(f"Numerics.weight_magnitude = {self.weight_magnitude} must be 0 to 24")
        for name in ("v_gains", "up_gains"):
            bad = [gain for gain in getattr(self, name) if not 0 <= gain <= MAX_GAIN]
            if bad:
                raise BadInput(f"Numerics.{name} holds {bad[0]}, which must be 0 to {MAX_GAIN}")
        if self.gate.width < self.sigmoid_index_bits:
            raise BadInput(f"Numerics.gate = {self.gate} is narrower than sigmoid_index_bits")


class CacheBacking(enum.Enum):
    """Where keys and values are stored."""

    ON_CHIP = "on-chip"
    """In RAM inside the decoder."""
    EXTERNAL = "external"
    """In a memory behind the decoder's cache port."""


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """The hardware: `lanes` multipliers in the array, and where the KV `cache` is stored."""

    lanes: int = 8
    cache: CacheBacking = CacheBacking.ON_CHIP

    def __post_init__(self):
        if self.lanes not in LANES:
            raise BadInput(f"Geometry.lanes = {self.lanes!r} must be one of {LANES}")
        if not isinstance(self.cache, CacheBacking):
            raise BadInput(f"Geometry.cache = {self.cache!r} must be a CacheBacking")


DEFAULT_NUMERICS = Numerics()
DEFAULT_GEOMETRY = Geometry()


@dataclass(frozen=True, kw_only=True)
class Config:
    """One decoder."""

    name: str
    shape: Shape
    numerics: Numerics = DEFAULT_NUMERICS
    geometry: Geometry = DEFAULT_GEOMETRY

    def __post_init__(self):
        for name in ("v_gains", "up_gains"):
            count = len(getattr(self.numerics, name))
            if count not in (0, self.shape.layers):
                raise BadInput(f"Numerics.{name} has {count} gains for {self.shape.layers} layers")

    def describe(self) -> str:
        """Name, geometry and RoPE, in one line."""
        cache = ", external cache" if self.geometry.cache is CacheBacking.EXTERNAL else ""
        rope_by = self.numerics.rope_by
        rope = f", RoPE by {rope_by.value}" if rope_by is not RopeBy.TABLE else ""
        return f"{self.name}, {self.geometry.lanes} lanes{cache}{rope}"

    def with_lanes(self, lanes: int) -> "Config":
        """The same decoder with another number of lanes."""
        return dataclasses.replace(self, geometry=dataclasses.replace(self.geometry, lanes=lanes))

    def with_cache(self, cache: CacheBacking) -> "Config":
        """The same decoder with its keys and values in `cache`."""
        return dataclasses.replace(self, geometry=dataclasses.replace(self.geometry, cache=cache))

    def with_numerics(self, numerics: Numerics) -> "Config":
        """The same decoder with other formats."""
        return dataclasses.replace(self, numerics=numerics)

    def with_rope(self, rope_by: RopeBy) -> "Config":
        """The same decoder with another RoPE."""
        return self.with_numerics(dataclasses.replace(self.numerics, rope_by=rope_by))


def _named(
    name: str,
    *sizes: int,
    lanes: int = 8,
    cache: CacheBacking = CacheBacking.ON_CHIP,
    numerics: Numerics = DEFAULT_NUMERICS,
    **facts: Any,
) -> Config:
    shape = Shape.of_sizes(*sizes, **facts)
    geometry = Geometry(lanes=lanes, cache=cache)
    return Config(name=name, shape=shape, numerics=numerics, geometry=geometry)


#: The formats that `python -m golden calibrate` chooses for stories260K.
_STORIES260K = Numerics(
    v=SQ(3, 13),
    score=SQ(10, 10),
    gate=SQ(4, 12),
    up=SQ(4, 12),
    silu=SQ(4, 12),
)

#: The same for tales260k, without its gains.
_TALES260K = Numerics(
    residual=SQ(9, 16),
    q=SQ(4, 12),
    attention=SQ(4, 12),
    score=SQ(8, 10),
    gate=SQ(4, 12),
    silu=SQ(4, 14),
    ffn=SQ(8, 17),
    logits=SQ(7, 9),
)

#: The same for SmolLM2-135M-Instruct, without its gains, which do not affect the hardware.
_SMOLLM2_135M = Numerics(
    residual=SQ(16, 13),
    q=SQ(3, 13),
    v=SQ(5, 11),
    score=SQ(8, 10),
    attention=SQ(5, 11),
    gate=SQ(7, 9),
    up=SQ(8, 8),
    silu=SQ(7, 11),
    ffn=SQ(13, 16),
    logits=SQ(7, 9),
    sigmoid_index_bits=12,
)

_EXTERNAL = CacheBacking.EXTERNAL

#: RoPE scaling of Llama 3.2.
_LLAMA3 = Llama3Scaling(
    factor=32.0, low_freq_factor=1.0, high_freq_factor=4.0, original_seq_len=8192
)

#: Every named instance, in order of size. `nano` is the size for fuzzing and proofs. From
#: `stories42m` on, the cache is too large for a chip. SmolLM2, Llama 3.2 and Qwen2.5 follow
#: `config.json` and `generation_config.json` of the chat models on Hugging Face, but with shorter
#: contexts: 131,072 (Llama) and 32,768 (Qwen) positions would need RoPE tables of that length.
CONFIGS: dict[str, Config] = {
    config.name: config
    for config in (
        _named("nano", 8, 12, 2, 4, 2, 16, 8, lanes=4),
        _named("stories260k", 64, 172, 5, 8, 4, 512, 512, numerics=_STORIES260K),
        _named(
            "tales260k", 64, 172, 5, 8, 4, 512, 512, rope_base=1e5, numerics=_TALES260K,
        ),
        _named("stories15m", 288, 768, 6, 6, 6, 32000, 256, lanes=16),
        _named("stories42m", 512, 1376, 8, 8, 8, 32000, 1024, lanes=32, cache=_EXTERNAL),
        _named("stories110m", 768, 2048, 12, 12, 12, 32000, 1024, lanes=64, cache=_EXTERNAL),
        _named(
            "smollm2_135m", 576, 1536, 30, 9, 3, 49152, 8192, lanes=64, cache=_EXTERNAL,
            rope_base=1e5, end_ids=(2,), numerics=_SMOLLM2_135M,
        ),
        _named(
            "qwen2_5_0_5b", 896, 4864, 24, 14, 2, 151936, 4096, lanes=64, cache=_EXTERNAL,
            rope_base=1e6, norm_epsilon=1e-6, qkv_bias=True, end_ids=(151643, 151645), bos=None,
        ),
        _named(
            "tinyllama_1b", 2048, 5632, 22, 32, 4, 32000, 2048, lanes=64, cache=_EXTERNAL,
            end_ids=(2,),
        ),
        _named(
            "llama3_2_1b", 2048, 8192, 16, 32, 8, 128256, 4096, lanes=64, cache=_EXTERNAL,
            rope_base=5e5, rope_scaling=_LLAMA3, end_ids=(128001, 128008, 128009), bos=128000,
        ),
        _named("llama2_7b", 4096, 11008, 32, 32, 32, 32000, 4096, lanes=128, cache=_EXTERNAL),
        _named("llama2_13b", 5120, 13824, 40, 40, 40, 32000, 4096, lanes=128, cache=_EXTERNAL),
        _named("llama2_70b", 8192, 28672, 80, 64, 8, 32000, 4096, lanes=128, cache=_EXTERNAL),
    )
}  # fmt: skip


def named(name: str) -> Config:
    """The named instance; raises :class:`BadInput` that lists the valid names."""
    try:
        return CONFIGS[name]
    except KeyError:
        raise BadInput(f"configuration {name!r} is not one of {', '.join(CONFIGS)}") from None


def config_to_dict(config: Config) -> dict[str, Any]:
    """`config` as plain values, for JSON."""
    numerics: dict[str, Any] = {}
    for name, value in dataclasses.asdict(config.numerics).items():
        value = value.value if isinstance(value, enum.Enum) else value
        numerics[name] = list(value) if isinstance(value, tuple) else value
    return {
        "name": config.name,
        "shape": shape_to_dict(config.shape),
        "numerics": numerics,
        "geometry": {"lanes": config.geometry.lanes, "cache": config.geometry.cache.value},
    }


def config_hash(config: Config) -> str:
    """The identity of a configuration, shared by its core, weight images and testbench.

    16 hex digits. It depends on the configuration alone, not on the weights.
    """
    text = json.dumps(config_to_dict(config), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


_Choice = TypeVar("_Choice", bound=enum.Enum)


def _chosen(kind: type[_Choice], field: str, value: Any) -> _Choice:
    try:
        return kind(value)
    except ValueError:
        names = ", ".join(str(choice.value) for choice in kind)
        raise BadInput(f"{field} = {value!r} is not one of {names}") from None


def config_from_dict(values: dict[str, Any]) -> Config:
    """The inverse of `config_to_dict`.

    Without `rope_by`, RoPE is by table. Raises :class:`BadInput`, TypeError or KeyError for
    malformed values.
    """
    numerics: dict[str, Any] = {
        name: SQ(**value) if isinstance(value, dict) else value
        for name, value in values["numerics"].items()
    }
    for name in ("v_gains", "up_gains"):
        numerics[name] = tuple(numerics.get(name, ()))
    numerics["rounding"] = _chosen(Rounding, "Numerics.rounding", numerics["rounding"])
    rope_by = numerics.get("rope_by", RopeBy.TABLE.value)
    numerics["rope_by"] = _chosen(RopeBy, "Numerics.rope_by", rope_by)
    cache = _chosen(CacheBacking, "Geometry.cache", values["geometry"]["cache"])
    geometry = values["geometry"] | {"cache": cache}
    return Config(
        name=values["name"],
        shape=shape_from_dict(values["shape"]),
        numerics=Numerics(**numerics),
        geometry=Geometry(**geometry),
    )
