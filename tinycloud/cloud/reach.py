"""Why a node can't be reached: asked of its provider, once for all that fail alike."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

from ..driver import Group, Reason
from ..errors import Unreachable
from ..group import GroupSpec
from ..node import Node
from ..ssh.bastion import Bastion

EXPLAIN_TIMEOUT = 20.0
"""Seconds that a provider has to say what it knows: somebody waits for an error."""

FRESH = 30.0
"""Seconds for which what was found of one node stands for the others of its group."""

_log = logging.getLogger(__name__)


class Reach:
    """Adds to errors what the drivers of these groups, which must be open, know of the cause."""

    def __init__(
        self, groups: tuple[Group, ...], specs: Callable[[], Mapping[str, GroupSpec]]
    ) -> None:
        self._groups = {group.tag: group for group in groups}
        self._specs = specs
        self._found: dict[str, tuple[float, Reason | None]] = {}
        self._turns = {group.tag: asyncio.Lock() for group in groups}

    async def explained(self, node: Node, error: Unreachable) -> Unreachable:
        """Return the error, with the likeliest cause first if one is known.

        Only what time might mend, and a login that is refused, is looked into: anything
        else has said its cause. Of many
        nodes that fail alike the first is looked into, and the others are given its cause
        if that is theirs too.
        """
        is_open = error.transient or error.reason == "auth"
        if not is_open or isinstance(node, Bastion) or node.tag not in self._groups:
            return error
        async with self._turns[node.tag]:
            when, shared = self._found.get(node.tag, (0.0, None))
            if when and time.monotonic() - when < FRESH:
                return with_reasons(error, (shared,) if shared else ())
            reasons = await self._asked(node)
            shared = next((reason for reason in reasons if reason.shared), None)
            self._found[node.tag] = time.monotonic(), shared
        return with_reasons(error, reasons)

    async def _asked(self, node: Node) -> tuple[Reason, ...]:
        driver = self._groups[node.tag].driver
        try:
            async with asyncio.timeout(EXPLAIN_TIMEOUT):
                return await driver.explain(self._specs()[node.tag], node)
        except Exception:  # it is the first error that counts
            _log.warning("can't find out why %s is not reached", node.name, exc_info=True)
            return ()


def with_reasons(error: Unreachable, reasons: tuple[Reason, ...]) -> Unreachable:
    """Return the error with these causes, and the remedy for the first."""
    if not reasons:
        return error
    causes = "; ".join([*(reason.cause for reason in reasons), error.cause])
    return Unreachable(
        error.what,
        cause=causes,
        fix=reasons[0].fix or error.fix,
        transient=error.transient,
        reason=error.reason,
    )
