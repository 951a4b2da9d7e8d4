"""The proof tasks of the caches of all layers on the chip, and of the queries that read them."""

from functools import partial

from formal.harness import kv_layers
from formal.tasks.task import EVERYWHERE, ON_CHIP, Task
from properties.kv_element import Tensor
from properties.kv_group import KvGroup
from properties.kv_layers import KvLayers
from properties.queries import QueriesKept
from tools.planting import PlantedBug

_task = partial(Task, family="kv_cache", domain=ON_CHIP)

KV_LAYERS: tuple[Task, ...] = (
    _task("kv.layers", KvLayers, kv_layers.layers, obligations=5, bug=PlantedBug(
        "a value is read in every layer",
        "design.cache", "CacheLayers._register_reads", "self.rd_start_v & is_layer",
        "self.rd_start_v")),
    *(
        _task(f"kv.group.{tensor.name.lower()}", KvGroup, kv_layers.group, obligations=3,
            arguments={"tensor": tensor}, bug=PlantedBug(
                "a word is of the layer that the read behind it named",
                "design.cache", "CacheLayers.elaborate", "layers[-1]", "layers[-2]"))
        for tensor in Tensor
    ),
    _task("kv.queries", QueriesKept, kv_layers.queries, obligations=2, domain=EVERYWHERE,
        bug=PlantedBug(
            "all elements of a query share an address",
            "design.queries", "QueryBuffer.elaborate",
            "times_constant(wr_block, shape.head_dim) + self.wr_d",
            "times_constant(wr_block, shape.head_dim)")),
)  # fmt: skip
