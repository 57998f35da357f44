"""One launch: every group at once, every node on its own way; and the way back."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from ..driver import Group
from ..errors import LaunchFailed, TinycloudError
from ..fanout import fan_out
from ..group import GroupSpec
from ..node import Node, Status, node_name
from ..store import ClusterFolder, Record
from . import plan
from .attempt import Attempt, Outcome
from .bringup import BringUp
from .failure import launch_failed, still_there
from .foreign import asking
from .inventory import listed
from .lifetime import armed
from .roster import Roster
from .session import Session
from .step import Stage, Step
from .terms import Terms
from .undo import Undo, Undone

_COMING_UP = (Status.PENDING, Status.RUNNING)


@dataclass(slots=True, kw_only=True)
class Launch:
    """One launch of a cluster whose lock is ours.

    `specs` tell of each group as it is wanted. `record` is what was recorded before,
    `generation` the cluster's own id, `fresh` whether there was no folder, `keyfile` the
    user's key and `authorize` the keys of others to record. `before` fills with the nodes
    that each group had; `begun` and `started` say what drivers may have made since.
    """

    groups: tuple[Group, ...]
    specs: Mapping[str, GroupSpec]
    folder: ClusterFolder
    record: Record | None
    generation: str
    fresh: bool
    terms: Terms
    keyfile: Path | None = None
    authorize: tuple[str, ...] = ()
    before: dict[str, tuple[Node, ...]] = field(default_factory=dict)
    begun: bool = False
    started: bool = False

    async def run(self, session: Session, key: bytes) -> dict[str, tuple[Node, ...]]:
        """Launch, and return the nodes of each group; the drivers must be open.

        `key` is the private key to log in to the nodes with.
        """
        up = BringUp(
            cluster=self.folder.name,
            groups=self.groups,
            session=session,
            key=key,
            terms=self.terms,
        )
        self._write_record({})
        found = await fan_out(self._listed, self.groups)
        self.before = {group.tag: nodes for group, nodes in zip(self.groups, found, strict=True)}
        self.begun = True
        await self._prepare()
        self._write_record({})  # now drivers know in full where they look
        self.started = True
        attempts = await fan_out(lambda group: self._start(group, up), self.groups)
        await self._accept(attempts)
        return {attempt.group.tag: attempt.nodes for attempt in attempts}

    def _write_record(self, absent: Mapping[str, Collection[int]]) -> None:
        old = self.record
        self.folder.write_record(
            Record(
                name=self.folder.name,
                generation=self.generation,
                created_at=old.created_at if old else datetime.now(UTC).isoformat(),
                groups=plan.merged(old.groups if old else (), self.groups, absent),
                keyfile=str(self.keyfile) if self.keyfile else old.keyfile if old else None,
                authorize=self.authorize,
            )
        )

    def _known_spec(self, group: Group) -> GroupSpec:
        """Return the spec to look at the group with: there may be more than is wanted now."""
        recorded = {g.tag: g for g in self.record.groups} if self.record else {}
        return replace(self.specs[group.tag], count=plan.largest(group, recorded.get(group.tag)))

    async def _listed(self, group: Group) -> tuple[Node, ...]:
        return await listed(group, self._known_spec(group), self.terms.deadline)

    async def _prepare(self) -> None:
        """Prepare every group; if one can't be, the others are still done with, not cut off."""

        async def prepare(group: Group) -> TinycloudError | None:
            try:
                async with asking(f"can't prepare group '{group.tag}'", self.terms.deadline):
                    await group.driver.prepare(self.specs[group.tag])
            except TinycloudError as error:
                return error
            return None

        for error in await fan_out(prepare, self.groups):
            if error is not None:
                raise error

    async def _start(self, group: Group, bring_up: BringUp) -> Attempt:
        nodes, refused = await self._started(group)
        again = plan.started(self.before.get(group.tag, ()), nodes)
        arming = await armed(group, self.specs[group.tag], again)
        roster = Roster(group.tag, nodes, lambda: self._listed(group))
        there = {node.index for node in nodes if node.status in _COMING_UP}

        async def one(index: int) -> Outcome:
            try:
                if refused is not None and index not in there:
                    raise refused
                if self.terms.wait:
                    script = arming if index in {node.index for node in again} else ""
                    return await bring_up.node(group, roster, index, script)
                return roster.alive(index)
            except TinycloudError as error:
                name = node_name(group.tag, index)
                self.terms.report(Step(Stage.FAILED, name, str(error), error))
                return error

        ends = await fan_out(one, range(group.count))
        return Attempt(
            group=group,
            outcomes=dict(enumerate(ends)),
            surplus=tuple(node for node in roster.nodes if node.index >= group.count),
            refused=refused,
        )

    async def _started(self, group: Group) -> tuple[tuple[Node, ...], TinycloudError | None]:
        """Start the group; return its nodes, and what the driver raised if it did."""
        try:
            async with asking(f"can't start group '{group.tag}'", self.terms.deadline):
                return await group.driver.start(self.specs[group.tag]), None
        except TinycloudError as error:
            refused = error
        try:  # some may have started all the same
            return await self._listed(group), refused
        except TinycloudError:
            return (), refused

    async def _accept(self, attempts: Collection[Attempt]) -> None:
        """Raise `LaunchFailed` unless enough came up; then do without those that did not."""
        failures = {name: error for attempt in attempts for name, error in attempt.failures.items()}
        if not failures:
            return
        up = {attempt.group.tag: len(attempt.up) for attempt in attempts}
        enough = self.terms.minimum is not None and plan.enough(self.groups, up, self.terms.minimum)
        if not enough or any(await fan_out(self._give_up, attempts)):
            raise self._failed(failures)
        absent = await fan_out(self._absent, attempts)
        self._write_record({a.group.tag: i for a, i in zip(attempts, absent, strict=True)})

    async def _give_up(self, attempt: Attempt) -> tuple[str, ...]:
        """Destroy those of the failed nodes that are new; return the names of what remains."""
        if not attempt.failed:
            return ()
        return self._done(await self._undo(attempt.group).only(attempt.failed))

    async def _absent(self, attempt: Attempt) -> tuple[int, ...]:
        """Return the indices to do without from now on: those that have no machine."""
        if not attempt.failed:
            return ()
        there = {n.index for n in await listed(attempt.group, self._known_spec(attempt.group))}
        return tuple(index for index in attempt.failed if index not in there)

    async def take_back(self, error: BaseException) -> None:
        """Undo this launch, which `error` has ended; raise if something remains."""
        touched = [g for g in self.groups if self.started or self._is_prepared(g)]
        ends = await fan_out(lambda group: self._undo(group).all(), touched)
        remaining = tuple(name for end in ends for name in self._done(end))
        if not remaining:
            self._restore()
        elif isinstance(error, LaunchFailed):
            raise self._failed(error.failures, remaining) from error
        else:
            raise still_there(self.folder.name, remaining, "destroying them failed") from error

    def _is_prepared(self, group: Group) -> bool:
        """Return whether something may have been made for a group that was not there."""
        return self.begun and not self.before[group.tag]

    def _failed(
        self, failures: Mapping[str, TinycloudError], remaining: tuple[str, ...] = ()
    ) -> LaunchFailed:
        return launch_failed(self.folder.name, self.groups, failures, remaining)

    def _undo(self, group: Group) -> Undo:
        return Undo(
            group=group, spec=self._known_spec(group), before=self.before.get(group.tag, ())
        )

    def _done(self, undone: Undone) -> tuple[str, ...]:
        """Forget the nodes that were removed; return the names of what remains."""
        for node in undone.removed:
            self.folder.unpin(node.id)
            self.terms.report(Step(Stage.REMOVED, node.name))
        return undone.remaining

    def _restore(self) -> None:
        if self.record is not None:
            self.folder.write_record(self.record)
        elif self.fresh:
            self.folder.remove()
