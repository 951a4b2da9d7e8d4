"""The table of proof tasks: what is proved, about which configurations, and how.

To add a component: a harness in `formal.harness` that returns a `Model`, and a row here with the
number of claims its theorem makes and a bug that it must catch.
"""

from formal.tasks.arithmetic import ARITHMETIC
from formal.tasks.composition import COMPOSITION
from formal.tasks.configs import PROOF_CONFIGS
from formal.tasks.control import CONTROL
from formal.tasks.dataflow import DATAFLOW
from formal.tasks.kv_cache import KV_CACHE
from formal.tasks.kv_external import KV_EXTERNAL
from formal.tasks.leaks import LEAKS
from formal.tasks.lemmas import LEMMAS
from formal.tasks.reset import RESET
from formal.tasks.streams import STREAMS
from formal.tasks.task import Task, Tier
from tools.errors import BadInput

TASKS: tuple[Task, ...] = (
    # The longest first: they are begun in this order.
    *COMPOSITION,
    *KV_CACHE,
    *KV_EXTERNAL,
    *CONTROL,
    *DATAFLOW,
    *ARITHMETIC,
    *LEMMAS,
    *LEAKS,
    *RESET,
    *STREAMS,
)


def select(ids: tuple[str, ...], config: str | None, tier: Tier = "core") -> list[tuple[Task, str]]:
    """Tasks and configurations asked for, of all tasks when no id is. An id may be a leading part
    (``kv.last_write``). A `config` may be any of the table; without one they are those of `tier`,
    or all, for a task asked for by its id that has none in the core.

    What a wider tier adds stands behind, configuration by configuration: where two have the same
    netlist, the second is remembered by the time it is asked about.

    Raises BadInput for an id or a configuration that selects nothing.
    """
    if config is not None and config not in PROOF_CONFIGS:
        raise BadInput(f"--config {config!r} is not one of {', '.join(PROOF_CONFIGS)}")
    chosen = []
    for wanted in ids or ("",):
        tasks = [t for t in TASKS if not wanted or t.id == wanted or t.id.startswith(f"{wanted}.")]
        if not tasks:
            raise BadInput(f"property {wanted!r} is not in the table; see `python -m formal list`")
        chosen += [task for task in tasks if task not in chosen]
    pairs = [(t, name) for t in chosen for name in t.configs]
    wider = [t for t in chosen if tier == "all" or config or (ids and not t.configs)]
    pairs += [(t, name) for name in PROOF_CONFIGS for t in wider if name in t.wide]
    pairs = [(t, name) for t, name in pairs if config in (None, name)]
    if not pairs:
        raise BadInput(f"nothing selected is proved for --config {config!r}")
    return pairs
