"""What the KV cache says about the row being written."""

from amaranth import *

from properties.dialect import Theorem
from properties.kv_contract import Owner, row_when_idle, write_in_range, write_inside_row


class KvRowDone(Theorem):
    """Each row is reported ready, not busy and done, once, exactly when all of it is written."""

    def __init__(self, owner: Owner):
        self.owner = owner

    def describe(self, m: Module) -> None:
        owner = self.owner
        elements = [(head, d) for head in range(owner.kv_heads) for d in range(owner.head_dim)]

        # One flag an element: in the row since its announcement.
        keys = Signal(len(elements))
        values = Signal(len(elements))
        now = Signal(len(elements))
        for index, (head, d) in enumerate(elements):
            m.d.comb += now[index].eq((owner.wr_head_kv == head) & (owner.wr_d == d))
        with m.If(owner.row_start):
            m.d.sync += [keys.eq(0), values.eq(0)]
        with m.Else():
            m.d.sync += [
                keys.eq(keys | Mux(owner.wr_en_k, now, 0)),
                values.eq(values | Mux(owner.wr_en_v, now, 0)),
            ]
        again = (owner.wr_en_k & (keys & now).any()) | (owner.wr_en_v & (values & now).any())
        self.suppose("row_when_idle", *row_when_idle(owner))
        self.suppose("write_inside_row", *write_inside_row(owner))
        self.suppose("write_in_range", *write_in_range(owner))
        self.suppose("each_element_once", ~again, "No element of a row is written twice.")

        # A row was announced and its done not yet seen.
        pending = Signal()
        with m.If(owner.row_start):
            m.d.sync += pending.eq(1)
        with m.Elif(owner.done):
            m.d.sync += pending.eq(0)
        complete = keys.all() & values.all()

        self.claims(
            "The counts are the numbers of elements written.",
            k_written=owner.k_written == count(keys),
            v_written=owner.v_written == count(values),
        )
        self.claims(
            "Ready means that every key, every value, of the row is written.",
            k_ready=owner.k_ready == keys.all(),
            v_ready=owner.v_ready == values.all(),
        )
        self.claim(
            "busy", owner.busy == (pending & ~complete), "Busy means announced and not complete."
        )
        self.claim(
            "done",
            owner.done == (pending & complete),
            "Done comes as soon as the row is complete, once for each announcement.",
        )

        self.witness("row_done", owner.done)


def count(flags: Value) -> Value:
    """How many flags are set, as a balanced tree of adders."""
    if len(flags) == 1:
        return flags
    half = len(flags) // 2
    return count(flags[:half]) + count(flags[half:])
