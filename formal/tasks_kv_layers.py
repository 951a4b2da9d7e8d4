"""The proof tasks of the caches of all layers on the chip, and of the queries that read them."""

from formal.canary import Canary
from formal.harness import kv_layers
from formal.task import ON_CHIP, Task
from properties.kv_element import Tensor
from properties.kv_group import KvGroup
from properties.kv_layers import KvLayers
from properties.queries import QueriesKept

EVERY_READ = Canary(
    "a value is read in every layer",
    "design.cache",
    "starts_v.eq(self.rd_start_v & is_layer)",
    "starts_v.eq(self.rd_start_v)",
)
NEXT_LAYER = Canary(
    "a word is of the layer that the read behind it named",
    "design.cache",
    "held, layers[-1], blocks[-1]",
    "held, layers[-2], blocks[-1]",
)
ONE_ADDRESS = Canary(
    "all elements of a query share an address",
    "design.queries",
    "write.addr.eq(times_constant(wr_block, shape.head_dim) + self.wr_d)",
    "write.addr.eq(times_constant(wr_block, shape.head_dim))",
)

KV_LAYERS: tuple[Task, ...] = (
    Task(
        id="kv.layers",
        family="kv_cache",
        theorem=KvLayers,
        harness=kv_layers.layers,
        obligations=5,
        canary=EVERY_READ,
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
            canary=NEXT_LAYER,
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
        canary=ONE_ADDRESS,
    ),
)
