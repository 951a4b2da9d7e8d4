"""What a proof task is."""

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any, Literal

from formal.model import Model
from formal.tasks.configs import CORE, WIDE
from properties.dialect import Theorem
from spec.config import CacheBacking, Config
from tools.planting import PlantedBug

#: How much of the table is proved: what every run proves, or all of it.
Tier = Literal["core", "all"]


@dataclass(frozen=True)
class Domain:
    """For which configurations a theorem is claimed: in words, and as a predicate."""

    words: str
    holds: Callable[[Config], bool]


EVERYWHERE = Domain("every shape, number of lanes, backing", lambda config: True)
ON_CHIP = Domain(
    "every shape and number of lanes, cache on the chip",
    lambda config: config.geometry.cache is CacheBacking.ON_CHIP,
)
EXTERNAL = Domain(
    "every shape and number of lanes, cache outside",
    lambda config: config.geometry.cache is CacheBacking.EXTERNAL,
)
BIASED = Domain(
    "every shape with biases, number of lanes and backing", lambda config: config.shape.qkv_bias
)
NAMED = Domain("the configurations that it names, no others", lambda config: False)


@dataclass(frozen=True)
class Task:
    """One theorem about one model, for several configurations.

    `configs` are those that every run proves, if any. Of the others of `CORE` and `WIDE`,
    ``prove --all`` adds each that `unproved` does not list, with what stopped it and what is known
    instead; and, of the named configurations of other sizes, those in `sizes`. `at` says what is
    different for one of them: ``{"nano@1": {"cover_depth": 90}}``.

    `depth` is the k of the induction (or the bound); `cover_depth` and `bug_depth` are how far
    the witnesses and the planted bug may lie from reset. `search` are further arguments of the
    harness for these two, which may narrow what comes in: what is found there is found. They are
    looked for by the engine `search_by`, or the one that goes with `engine`. Mode
    `bmc` must give its `reason`: why the bound is the theorem.

    A proof of safety is repeated by a second engine, `confirm`, or by the one that goes with
    `engine`, within `confirm_timeout` seconds. All limits are seconds of the processor. Where
    measurements say that none can, `unconfirmed` says so, and none is asked. `domain` says for
    which other configurations the theorem is claimed; the sweep draws from it.
    """

    id: str
    theorem: type[Theorem]
    harness: Callable[..., Model]
    bug: PlantedBug
    _: KW_ONLY
    family: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    search: Mapping[str, Any] = field(default_factory=dict)
    search_by: str = ""
    configs: tuple[str, ...] = CORE
    sizes: tuple[str, ...] = ()
    unproved: Mapping[str, str] = field(default_factory=dict)
    at: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    obligations: int
    engine: str = "yices"
    mode: Literal["prove", "bmc"] = "prove"
    reason: str = ""
    depth: int = 2
    cover_depth: int = 10
    bug_depth: int = 10
    timeout: int = 300
    confirm: str = ""
    confirm_timeout: int = 60
    unconfirmed: str = ""
    domain: Domain = EVERYWHERE

    def __post_init__(self):
        if (self.mode == "bmc") != bool(self.reason):
            raise ValueError(f"task {self.id}: a bounded proof, and no other, gives its reason")
        if self.confirm and self.unconfirmed:
            raise ValueError(f"task {self.id}: confirmed by {self.confirm!r}, or unconfirmed")
        if self.confirm == self.engine:
            raise ValueError(f"task {self.id}: {self.engine!r} cannot confirm itself")
        if strange := set(self.unproved) - {*CORE, *WIDE} | set(self.unproved) & set(self.configs):
            raise ValueError(f"task {self.id}: unproved where? {', '.join(sorted(strange))}")

    def for_config(self, name: str) -> "Task":
        """The task as it is for the configuration `name`."""
        return replace(self, **self.at[name]) if name in self.at else self

    @property
    def all_configs(self) -> tuple[str, ...]:
        """Those that every run proves, and those that ``prove --all`` adds."""
        return (*self.configs, *self.wide)

    @property
    def wide(self) -> tuple[str, ...]:
        """The configurations that ``prove --all`` adds."""
        known = {*self.configs, *self.unproved}
        return tuple(name for name in (*CORE, *WIDE, *self.sizes) if name not in known)
