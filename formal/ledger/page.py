"""The ledger as a page: what is supposed, and who pays for it. docs/assumptions.md holds it."""

from collections.abc import Sequence

from formal.ledger.audit import Alone, Line, Outside, Payment, Unpaid

_HEAD = """\
# Who pays for what is supposed

Made by `python -m formal list --assumptions`; do not edit. `formal/ledger/` holds the
lines, and `python -m formal prove` checks them: each supposition of each proof, at each
configuration, is paid by the first payment whose claims are in the table there, and each of these
claims must be proved at that configuration. A supposition without a payer, a circle of payers that
is not closed by induction over time, and a line that nobody needs are red.

Patterns are as of file names. `*` in a claim is the name of the supposition. Claims of
`composition.*` are also those of `composition.*_loops`, which are proved where loops run any number
of times. What nobody pays for yet is counted at the end of each run. Suppositions called `chosen_*`
say only what a theorem is about, an element that exists; nobody pays for them.

| of | supposes | paid by |
|---|---|---|
"""


def _payment(payment: Payment) -> str:
    if isinstance(payment, Outside):
        return f"the outside: {payment.where}"
    if isinstance(payment, Alone):
        return f"nobody at {', '.join(payment.configs)}: {payment.why}"
    if isinstance(payment, Unpaid):
        where = f" at {', '.join(payment.configs)}" if payment.configs else ""
        return f"**nobody yet**{where}: {payment.why}"
    claims = ", ".join(f"`{claim}`" for claim in payment.claims)
    told = f"{claims}: {payment.because}" if payment.because else claims
    return f"{told} (of earlier cycles)" if payment.earlier else told


def _names(patterns: Sequence[str]) -> str:
    return ", ".join(f"`{each}`" for each in patterns)


def page(lines: Sequence[Line]) -> str:
    """The page, in Markdown."""
    rows = [
        f"| {_names(line.tasks)} | {_names(line.names)} |"
        f" {'; else '.join(_payment(each) for each in line.payments)} |\n"
        for line in lines
    ]
    return _HEAD + "".join(rows)
