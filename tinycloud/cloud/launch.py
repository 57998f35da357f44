"""One launch: every group at once, every node on its own way, and the way back."""

import asyncio
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ..driver import Group
from ..errors import LaunchFailed, ResourcesRemain, TinycloudError
from ..fanout import fan_out, to_the_end
from ..group import GroupSpec
from ..node import Node, Status, node_name
from ..store import ClusterFolder, Record
from . import plan
from .bringup import BringUp
from .roster import Roster, as_error
from .step import Stage, Step

UNDO_TIMEOUT = 300.0
"""Seconds that a driver has to take back what a failed launch made of a group."""

Outcome = Node | TinycloudError
"""What became of one node that should come up."""


@dataclass(slots=True, kw_only=True)
class Launch:
    """One launch of a cluster whose lock is ours.

    `record` is what was recorded before, `fresh` whether there was no folder;
    `before` fills with the nodes that each group had.
    """

    groups: tuple[Group, ...]
    specs: Mapping[str, GroupSpec]
    folder: ClusterFolder
    record: Record | None
    bring_up: BringUp
    fresh: bool = False
    wait: bool = True
    minimum: int | None = None
    all_or_nothing: bool = True
    before: dict[str, tuple[Node, ...]] = field(default_factory=dict)

    async def run(self) -> dict[str, tuple[Node, ...]]:
        """Launch, and return the nodes of each group; or raise, with what is new destroyed."""
        try:
            self._write_record({})
            await fan_out(self._look_before, self.groups)
            await fan_out(self._prepare, self.groups)
            outcomes = await fan_out(self._start, self.groups)
            return await self._accept(dict(zip(self.specs, outcomes, strict=True)))
        except BaseException as error:
            if self.all_or_nothing:
                await to_the_end(self._take_back(error))
            raise

    def _write_record(self, absent: Mapping[str, Collection[int]]) -> None:
        old = self.record
        self.folder.write_record(
            Record(
                name=self.folder.name,
                generation=old.generation if old else uuid.uuid4().hex,
                created_at=old.created_at if old else datetime.now(UTC).isoformat(),
                groups=plan.merged(old.groups if old else (), self.groups, absent),
            )
        )

    async def _look(self, group: Group) -> tuple[Node, ...]:
        try:
            return await group.driver.list(self.specs[group.tag])
        except Exception as error:
            raise as_error(error, f"can't list group '{group.tag}'") from error

    async def _look_before(self, group: Group) -> None:
        self.before[group.tag] = await self._look(group)

    async def _prepare(self, group: Group) -> None:
        try:
            await group.driver.prepare(self.specs[group.tag])
        except Exception as error:
            raise as_error(error, f"can't prepare group '{group.tag}'") from error

    async def _start(self, group: Group) -> dict[int, Outcome]:
        refused: TinycloudError | None = None
        try:
            nodes = await group.driver.start(self.specs[group.tag])
        except Exception as error:
            refused = as_error(error, f"can't start group '{group.tag}'")
            nodes = await self._look(group)  # some may have started all the same
        there = {node.index for node in nodes}
        roster = Roster(group.tag, nodes, lambda: self._look(group))

        async def one(index: int) -> Outcome:
            try:
                if refused is not None and index not in there:
                    raise refused
                if self.wait:
                    return await self.bring_up.node(group, roster, index)
                return roster.alive(index)
            except TinycloudError as error:
                name = node_name(group.tag, index)
                self.bring_up.report(Step(Stage.FAILED, name, str(error), error))
                return error

        return dict(enumerate(await fan_out(one, range(group.count))))

    async def _accept(
        self, outcomes: Mapping[str, Mapping[int, Outcome]]
    ) -> dict[str, tuple[Node, ...]]:
        """Return the nodes if they are enough, without those that failed; else raise."""
        up = {
            tag: {i: node for i, node in nodes.items() if isinstance(node, Node)}
            for tag, nodes in outcomes.items()
        }
        failures = {
            node_name(tag, index): error
            for tag, nodes in outcomes.items()
            for index, error in nodes.items()
            if isinstance(error, TinycloudError)
        }
        if not plan.enough(self.groups, up, self.minimum):
            raise launch_failed(self.folder.name, self.groups, failures)
        if failures:
            absent = {tag: set(outcomes[tag]) - set(up[tag]) for tag in up}
            await self._give_up(absent)
        surplus = {
            tag: {node.index: node for node in nodes if node.index not in outcomes[tag]}
            for tag, nodes in self.before.items()
        }
        return {
            tag: tuple(node for _, node in sorted({**surplus[tag], **nodes}.items()))
            for tag, nodes in up.items()
        }

    async def _give_up(self, absent: Mapping[str, Collection[int]]) -> None:
        """Destroy those of the failed nodes that are new, and remember to do without them."""
        remaining = await fan_out(
            lambda group: self._remove_new(group, absent[group.tag]), self.groups
        )
        if any(remaining):
            raise remain(self.folder.name, [name for names in remaining for name in names])
        old = {node_name(tag, node.index) for tag in self.before for node in self.before[tag]}
        self._write_record(
            {
                tag: [index for index in indices if node_name(tag, index) not in old]
                for tag, indices in absent.items()
            }
        )

    async def _take_back(self, error: BaseException) -> None:
        """Undo this launch; raise if something remains, with `error` as the reason."""
        names = [n for names in await fan_out(self._undo, self.groups) for n in names]
        if self.record is not None:
            self.folder.write_record(self.record)
        elif self.fresh and not names:
            self.folder.remove()
        if names and isinstance(error, LaunchFailed):
            error.remaining = tuple(names)
        elif names:
            raise remain(self.folder.name, names) from error

    async def _undo(self, group: Group) -> tuple[str, ...]:
        if group.tag not in self.before:  # we did not get as far as to look
            return ()
        return await self._remove_new(group, None)

    async def _remove_new(self, group: Group, only: Collection[int] | None) -> tuple[str, ...]:
        """Destroy the group's new nodes (with `only`: of these indices); name what remains.

        Without `only`, a group that was not there before goes whole, with all that
        was prepared for it, and one that was stopped before is stopped again.
        """
        spec, before = self.specs[group.tag], self.before[group.tag]
        new: tuple[Node, ...] = ()
        try:
            async with asyncio.timeout(UNDO_TIMEOUT):
                new = plan.created(before, await group.driver.list(spec))
                doomed = [node.index for node in new if only is None or node.index in only]
                if only is None and not before:
                    await group.driver.destroy(spec)
                elif doomed:
                    await group.driver.discard(spec, doomed)
                if only is None and before and _all_stopped(before):
                    await group.driver.stop(spec)
        except ResourcesRemain as error:
            return error.remaining or tuple(node.name for node in new)
        except Exception:  # unknown is never gone; and the other groups must be undone too
            return tuple(node.name for node in new) or (f"group {group.tag}",)
        for index in doomed:
            self.bring_up.report(Step(Stage.REMOVED, node_name(group.tag, index)))
        return ()


def _all_stopped(nodes: Collection[Node]) -> bool:
    return all(node.status is Status.STOPPED for node in nodes)


def remain(cluster: str, names: Collection[str]) -> ResourcesRemain:
    """Return the error that says what is still there."""
    return ResourcesRemain(
        f"still there: {', '.join(names)}",
        cause="destroying them failed",
        fix=f"tinycloud destroy {cluster}",
        remaining=tuple(names),
    )


def launch_failed(
    cluster: str, groups: Collection[Group], failures: Mapping[str, TinycloudError]
) -> LaunchFailed:
    """Return the error that says which nodes did not come up, and why the first did not."""
    name, first = next(iter(failures.items()))
    total = sum(group.count for group in groups)
    return LaunchFailed(
        f"{len(failures)} of {total} nodes of '{cluster}' did not come up",
        cause=f"{first}" if name in str(first) else f"{name}: {first}",
        fix=first.fix or "launch again",
        failures=failures,
    )
