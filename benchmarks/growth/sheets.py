"""The results as tables, for the terminal and for the page."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table

from benchmarks.growth.cycles import Latencies
from benchmarks.growth.fit import Law, Token, error
from benchmarks.growth.limits import Memory, Outlook, balanced_lanes
from benchmarks.report import number


@dataclass(frozen=True)
class Sheet:
    """A table; `name` is that of its marker in the page."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def table(self) -> Table:
        """The table for the terminal."""
        table = Table(*self.columns, title=self.title, title_justify="left")
        for column in table.columns[1:]:
            column.justify = "right"
        for row in self.rows:
            table.add_row(*row)
        return table

    def markdown(self) -> str:
        """The table for the page."""
        lines = [self.columns, ("---", *["---:"] * (len(self.columns) - 1)), *self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cycles(tokens: Sequence[Token], fitted: Sequence[Token], latencies: Latencies) -> Sheet:
    """Measured and computed cycles by configuration; the latencies are fitted to `fitted`."""
    rows = []
    for config in dict.fromkeys(token.config for token in tokens):
        of_config = [token for token in tokens if token.config == config]
        errors = {token.pos: 100 * error(token, latencies) for token in of_config}
        worst = max(errors, key=lambda pos: abs(errors[pos]))
        mean = sum(map(abs, errors.values())) / len(errors)
        shape = config.shape
        name = f"{shape.dim} x {shape.layers}, {shape.heads}/{shape.kv_heads} heads"
        last = of_config[-1]
        rows.append(
            (
                name, f"{shape.seq_len}", f"{config.geometry.lanes}",
                "fitted" if of_config[0] in fitted else "predicted", f"{last.pos}",
                f"{last.cycles:,}", f"{errors[last.pos]:+.3f}", f"{mean:.3f}",
                f"{errors[worst]:+.3f} at {worst}",
            )
        )  # fmt: skip
    columns = (
        "dim x layers", "context", "lanes", "latencies", "last pos", "measured", "error %",
        "mean error %", "worst %",
    )  # fmt: skip
    return Sheet("cycles", "Cycles of a token: model and simulation", columns, tuple(rows))


def laws(fitted: Sequence[tuple[str, str, Law]]) -> Sheet:
    """A row per (axis, quantity, law)."""
    rows = tuple(
        (quantity, axis, str(law), f"{law.exponent:.2f}" if not law.offset else "line",
         f"{law.r2:.3f}")
        for axis, quantity, law in fitted
    )  # fmt: skip
    columns = ("what", "over", "law", "exponent", "R2")
    return Sheet("growth", "How cost grows", columns, rows)


def latency(latencies: Latencies) -> Sheet:
    """The latencies of the model."""
    rows = tuple((name, str(value)) for name, value in vars(latencies).items())
    return Sheet("latencies", "Fitted latencies", ("latency", "cycles"), rows)


def outlooks(tokens: Sequence[Outlook]) -> Sheet:
    """Tokens per second and the limit; a row per configuration, a column per bandwidth."""
    memories = list(dict.fromkeys(token.memory for token in tokens))
    rows = []
    for config in dict.fromkeys(token.config for token in tokens):
        cells = [
            f"{number(token.tokens_per_s)} {token.limit} {token.shares[token.limit]:.0%}"
            for token in tokens
            if token.config == config
        ]
        bits = config.numerics.weight_bits
        rows.append((f"{config.name}, {bits} bits", f"{config.geometry.lanes:,}", *cells))
    columns = ("model, weights", "lanes", *(f"{memory.bandwidth:g} GB/s" for memory in memories))
    title = f"Tokens/s, and the limit with the largest share, at {memories[0].mhz:g} MHz"
    return Sheet("limits", title, columns, tuple(rows))


def balance(memories: Sequence[Memory], weight_bits: Sequence[int]) -> Sheet:
    """The number of lanes that a memory can feed."""
    rows = tuple(
        (f"{bits} bits", *(number(balanced_lanes(memory, bits)) for memory in memories))
        for bits in weight_bits
    )
    columns = ("weights", *(f"{memory.bandwidth:g} GB/s" for memory in memories))
    return Sheet("balance", f"Lanes that a memory feeds at {memories[0].mhz:g} MHz", columns, rows)
