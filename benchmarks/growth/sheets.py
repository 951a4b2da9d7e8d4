"""What was found, as sheets of text: the same for the terminal and for the page."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table

from benchmarks.growth.cycles import Latencies
from benchmarks.growth.fit import Law, Token, error
from benchmarks.growth.limits import Memory, Outlook, balanced_lanes
from benchmarks.report import number


@dataclass(frozen=True)
class Sheet:
    """A table; `name` is that of its place in the page."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def table(self) -> Table:
        """For the terminal."""
        table = Table(*self.columns, title=self.title, title_justify="left")
        for column in table.columns[1:]:
            column.justify = "right"
        for row in self.rows:
            table.add_row(*row)
        return table

    def markdown(self) -> str:
        """For the page."""
        lines = [self.columns, ("---", *["---:"] * (len(self.columns) - 1)), *self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cycles(tokens: Sequence[Token], fitted: Sequence[Token], latencies: Latencies) -> Sheet:
    """Measured against computed, a row a configuration; the latencies come from `fitted`."""
    rows = []
    for config in dict.fromkeys(token.config for token in tokens):
        own = [token for token in tokens if token.config == config]
        errors = {token.pos: 100 * error(token, latencies) for token in own}
        worst = max(errors, key=lambda pos: abs(errors[pos]))
        mean = sum(map(abs, errors.values())) / len(errors)
        shape = config.shape
        name = f"{shape.dim} x {shape.layers}, {shape.heads}/{shape.kv_heads} heads"
        last = own[-1]
        rows.append(
            (
                name, f"{shape.seq_len}", f"{config.geometry.lanes}",
                "fitted" if own[0] in fitted else "predicted", f"{last.pos}",
                f"{last.cycles:,}", f"{errors[last.pos]:+.3f}", f"{mean:.3f}",
                f"{errors[worst]:+.3f} at {worst}",
            )
        )  # fmt: skip
    columns = (
        "dim x layers", "context", "lanes", "latencies", "last pos", "measured", "error %",
        "mean error %", "worst %",
    )  # fmt: skip
    return Sheet("cycles", "Cycles of a token: the model against simulation", columns, tuple(rows))


def laws(found: Sequence[tuple[str, str, Law]]) -> Sheet:
    """(axis, quantity, law) for each."""
    rows = tuple(
        (quantity, axis, str(law), f"{law.exponent:.2f}" if not law.offset else "line",
         f"{law.r2:.3f}")
        for axis, quantity, law in found
    )  # fmt: skip
    columns = ("what", "over", "law", "exponent", "R2")
    return Sheet("growth", "How cost grows", columns, rows)


def latency(latencies: Latencies) -> Sheet:
    """The latencies of the model."""
    rows = tuple((name, str(value)) for name, value in vars(latencies).items())
    return Sheet("latencies", "Latencies found", ("latency", "cycles"), rows)


def outlooks(found: Sequence[Outlook]) -> Sheet:
    """Tokens a second and the limit; a row a configuration, a column a bandwidth."""
    memories = list(dict.fromkeys(each.memory for each in found))
    rows = []
    for config in dict.fromkeys(each.config for each in found):
        cells = [
            f"{number(each.tokens_per_s)} {each.limit} {each.shares[each.limit]:.0%}"
            for each in found
            if each.config == config
        ]
        bits = config.numerics.weight_bits
        rows.append((f"{config.name}, {bits} bits", f"{config.geometry.lanes:,}", *cells))
    columns = ("model, weights", "lanes", *(f"{each.bandwidth:g} GB/s" for each in memories))
    title = f"Tokens/s, and what takes the largest share, at {memories[0].mhz:g} MHz"
    return Sheet("limits", title, columns, tuple(rows))


def balance(memories: Sequence[Memory], weight_bits: Sequence[int]) -> Sheet:
    """Lanes that a memory can feed."""
    rows = tuple(
        (f"{bits} bits", *(number(balanced_lanes(memory, bits)) for memory in memories))
        for bits in weight_bits
    )
    columns = ("weights", *(f"{memory.bandwidth:g} GB/s" for memory in memories))
    return Sheet("balance", f"Lanes that a memory feeds at {memories[0].mhz:g} MHz", columns, rows)
