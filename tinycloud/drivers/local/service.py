"""The forker's service: take orders, and answer each."""

import os

from ...errors import MachineError, TinycloudError
from .birth import fulfil
from .descriptor import readable_now
from .order import Answer, Order

ORDERS, ANSWERS = 0, 1


def serve() -> None:
    """Serve one client until it closes our stdin, by dying if need be."""
    with os.fdopen(ORDERS, "rb", closefd=False) as orders:
        for line in orders:
            os.write(ANSWERS, _answer(Order.from_line(line)).to_line())


def _answer(order: Order) -> Answer:
    try:
        # A client has one order here at a time: what can be read now is the end.
        fulfil(order, lambda: readable_now(ORDERS))
    except TinycloudError as error:
        return Answer(error)
    except OSError as error:
        return Answer(
            MachineError(
                f"can't start the nodes of group '{order.tag}'",
                cause=error.strerror or str(error),
                fix="free some of what is short, and run the same command again",
            )
        )
    return Answer(None)
