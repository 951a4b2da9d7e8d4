"""The proof tasks of the caches of all layers on the chip, and of the queries that read them."""

from formal.harness import kv_layers
from formal.tasks.task import ON_CHIP, Task
from properties.kv_element import Tensor
from properties.kv_group import KvGroup
from properties.kv_layers import KvLayers
from properties.queries import QueriesKept
from tools.planting import PlantedBug

EVERY_READ = PlantedBug(
    "a value is read in every layer",
    "design.cache",
    "CacheLayers._register_reads",
    "self.rd_start_v & is_layer",
    "self.rd_start_v",
)
NEXT_LAYER = PlantedBug(
    "a word is of the layer that the read behind it named",
    "design.cache",
    "CacheLayers.elaborate",
    "layers[-1]",
    "layers[-2]",
)
ONE_ADDRESS = PlantedBug(
    "all elements of a query share an address",
    "design.queries",
    "QueryBuffer.elaborate",
    "times_constant(wr_block, shape.head_dim) + self.wr_d",
    "times_constant(wr_block, shape.head_dim)",
)

KV_LAYERS: tuple[Task, ...] = (
    Task(
        id="kv.layers",
        family="kv_cache",
        theorem=KvLayers,
        harness=kv_layers.layers,
        obligations=5,
        bug=EVERY_READ,
        domain=ON_CHIP,
    ),
    *(
        Task(
            id=f"kv.group.{tensor.name.lower()}",
            family="kv_cache",
            theorem=KvGroup,
            harness=kv_layers.group,
            arguments={"tensor": tensor},
            obligations=3,
            bug=NEXT_LAYER,
            domain=ON_CHIP,
        )
        for tensor in Tensor
    ),
    Task(
        id="kv.queries",
        family="kv_cache",
        theorem=QueriesKept,
        harness=kv_layers.queries,
        obligations=2,
        bug=ONE_ADDRESS,
    ),
)
