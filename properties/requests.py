"""What the clients of a scalar multiplier leave on their ports."""

from typing import Any

from amaranth import *

from properties.dialect import Theorem, implies


class IdleIsSilent(Theorem):
    """A unit that asks a scalar multiplier for nothing leaves zeros on its port: requests are ORed.

    `client` has the ports of `design.scalar.client_members`. Obligations: one for each of its
    `requests`.
    """

    def __init__(self, client: Any):
        self.client = client

    def describe(self, m: Module) -> None:
        for port, request in enumerate(self.client.requests):
            operands = Cat(request.a, request.b)
            self.claim(
                f"silent_{port}",
                implies(~request.en, operands == 0),
                "Both operands are zero while the port is idle.",
            )
            asks = request.en & (request.a != 0) & (request.b != 0)
            self.witness(f"asks_{port}", asks)
