"""The contract suite finds drivers out that don't keep the contract."""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import replace
from types import TracebackType

import pytest
from machines import Memory, MemoryContract, Provider

from tinycloud import Driver, GroupSpec, Node, Status
from tinycloud.testing import DriverContract


class Contract(MemoryContract):
    """The suite over a driver of one kind."""

    timeout = 0.2

    def __init__(self, kind: Callable[[Provider], Driver]) -> None:
        self.kind, self.provider = kind, Provider()

    def driver(self) -> Driver:
        return self.kind(self.provider)


class MakesNodesEarly(Memory):
    """Starts a node while it prepares."""

    async def prepare(self, spec: GroupSpec) -> None:
        self.provider.run(spec, 0)


class RefusesTheEmpty(Memory):
    """Can't stop what is not there."""

    async def stop(self, spec: GroupSpec) -> None:
        if not self.provider.group(spec):
            raise LookupError("no such group")
        await super().stop(spec)


class CountsFromOne(Memory):
    """Begins with index 1."""

    async def start(self, spec: GroupSpec) -> tuple[Node, ...]:
        for index in range(1, spec.count + 1):
            self.provider.run(spec, index)
        return await self.list(spec)


class StartsAfresh(Memory):
    """Replaces what runs."""

    async def start(self, spec: GroupSpec) -> tuple[Node, ...]:
        self.provider.group(spec).clear()
        return await super().start(spec)


class MakesOnlyNewGroups(Memory):
    """Starts a group only if there is none of it."""

    async def start(self, spec: GroupSpec) -> tuple[Node, ...]:
        return await self.list(spec) or await super().start(spec)


class Trims(Memory):
    """Removes surplus."""

    async def start(self, spec: GroupSpec) -> tuple[Node, ...]:
        await self.discard(spec, [i for i in self.provider.group(spec) if i >= spec.count])
        return await super().start(spec)


class StopsForGood(Memory):
    """Destroys where it should stop."""

    async def stop(self, spec: GroupSpec) -> None:
        self.provider.group(spec).clear()


class ForgetsIdentity(Memory):
    """Gives a node another host key when it stops."""

    async def stop(self, spec: GroupSpec) -> None:
        await super().stop(spec)
        for index, node in self.provider.group(spec).items():
            self.provider.group(spec)[index] = replace(node, host_key="ssh-ed25519 another")


class NeverRestarts(Memory):
    """Makes what is missing, and leaves stopped what is stopped."""

    async def start(self, spec: GroupSpec) -> tuple[Node, ...]:
        for index in set(range(spec.count)) - set(self.provider.group(spec)):
            self.provider.run(spec, index)
        return await self.list(spec)


class AlwaysWell(Memory):
    """Says that all is well."""

    async def status(self, spec: GroupSpec) -> tuple[Status, ...]:
        return tuple(Status.RUNNING for _ in await self.list(spec))


class DestroysOnce(Memory):
    """Knows nothing of a group that is destroyed already."""

    async def destroy(self, spec: GroupSpec) -> None:
        if not self.provider.group(spec):
            raise LookupError("no such group")
        await super().destroy(spec)


class LeavesSomething(Memory):
    """Ends the nodes, and not what it prepared."""

    async def destroy(self, spec: GroupSpec) -> None:
        await self.discard(spec, tuple(self.provider.group(spec)))


class ReusesIds(Memory):
    """Calls a new machine by the name of an old one."""

    async def list(self, spec: GroupSpec) -> tuple[Node, ...]:
        nodes = await super().list(spec)
        return tuple(replace(node, id=f"{spec.cluster}-{node.name}") for node in nodes)


class TrustsTheCount(Memory):
    """Lists no more nodes than it is told there are."""

    async def list(self, spec: GroupSpec) -> tuple[Node, ...]:
        return tuple(node for node in await super().list(spec) if node.index < spec.count)


class DestroysTheCount(Memory):
    """Destroys no more nodes than it is told there are."""

    async def destroy(self, spec: GroupSpec) -> None:
        await self.discard(spec, range(spec.count))
        self.provider.prepared.discard((spec.cluster, spec.tag))


class KeepsItToItself(Memory):
    """Knows only machines that it made itself."""

    def __init__(self, provider: Provider) -> None:
        super().__init__(Provider())


class DiscardsAll(Memory):
    """Destroys the group where it should destroy some nodes."""

    async def discard(self, spec: GroupSpec, indices: Collection[int]) -> None:
        self.provider.group(spec).clear()


class DiscardsNothing(Memory):
    """Claims to have destroyed some nodes."""

    async def discard(self, spec: GroupSpec, indices: Collection[int]) -> None:
        await asyncio.sleep(0)


class SeesGhosts(Memory):
    """Lists nodes as they were at their best."""

    seen: dict[str, tuple[Node, ...]] = {}  # noqa: RUF012 (it is the fault that all share it)

    async def list(self, spec: GroupSpec) -> tuple[Node, ...]:
        key = f"{spec.cluster}/{spec.tag}"
        now = await super().list(spec)
        self.seen[key] = max(now, self.seen.get(key, ()), key=len)
        return self.seen[key]


class IgnoresCase(Memory):
    """Takes Web for web."""

    def __init__(self, provider: Provider) -> None:
        super().__init__(provider)
        plain = provider.group
        provider.group = lambda spec: plain(replace(spec, tag=spec.tag.lower()))  # type: ignore[method-assign]


class JoinsNames(Memory):
    """Takes group x of cluster c-2 for group 2-x of cluster c."""

    def __init__(self, provider: Provider) -> None:
        super().__init__(provider)
        plain = provider.group

        def group(spec: GroupSpec) -> dict[int, Node]:
            return plain(replace(spec, cluster="all", tag=f"{spec.cluster}-{spec.tag}"))

        provider.group = group  # type: ignore[method-assign]


class MatchesBeginnings(Memory):
    """Lists web-2 with web."""

    async def list(self, spec: GroupSpec) -> tuple[Node, ...]:
        await asyncio.sleep(0)
        return tuple(
            node
            for (cluster, tag), group in self.provider.machines.items()
            if cluster == spec.cluster and tag.startswith(spec.tag)
            for node in group.values()
        )


class OneAtATime(Memory):
    """Confuses groups that are started at once."""

    async def start(self, spec: GroupSpec) -> tuple[Node, ...]:
        self.spec = spec
        await asyncio.sleep(0)
        return await super().start(self.spec)


class NeedsItsBlock(Memory):
    """Can do nothing outside of its block."""

    async def start(self, spec: GroupSpec) -> tuple[Node, ...]:
        if not self.blocks:
            raise RuntimeError("there is no session")
        return await super().start(spec)


class ClosesForAll(NeedsItsBlock):
    """Closes with the first block that is left."""

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.blocks = 0


class TagsLate(Memory):
    """Names a machine only some time after it is made."""

    async def start(self, spec: GroupSpec) -> tuple[Node, ...]:
        for index in set(range(spec.count)) - set(self.provider.group(spec)):
            nameless = replace(spec, tag=f"nameless-{len(self.provider.specs)}")
            self.provider.run(nameless, index)
            await asyncio.sleep(0)
            self.provider.group(spec)[index] = replace(
                self.provider.group(nameless).pop(index), tag=spec.tag
            )
        return await super().start(spec)


class SparesTheLast(Memory):
    """Leaves a group its last node."""

    async def discard(self, spec: GroupSpec, indices: Collection[int]) -> None:
        await super().discard(spec, [i for i in indices if i in range(spec.count - 1)])


BREACHES: dict[type[Memory], str] = {
    MakesNodesEarly: "test_prepare_is_idempotent",
    RefusesTheEmpty: "test_nothing_is_no_error",
    CountsFromOne: "test_start_makes_the_nodes",
    StartsAfresh: "test_start_leaves_running_nodes_alone",
    MakesOnlyNewGroups: "test_start_fills_what_is_missing",
    Trims: "test_start_never_removes_surplus",
    StopsForGood: "test_stop_and_start_keep_identity",
    ForgetsIdentity: "test_stop_and_start_keep_identity",
    NeverRestarts: "test_stopped_nodes_are_started_beside_new_ones",
    AlwaysWell: "test_status_is_in_the_order_of_list",
    DestroysOnce: "test_destroy_is_idempotent",
    LeavesSomething: "test_start_makes_the_nodes",
    ReusesIds: "test_a_destroyed_group_can_be_made_again",
    TrustsTheCount: "test_list_needs_no_count",
    KeepsItToItself: "test_list_needs_no_count",
    DestroysTheCount: "test_destroy_needs_no_count",
    DiscardsAll: "test_discard_removes_only_what_it_is_told",
    DiscardsNothing: "test_discard_removes_only_what_it_is_told",
    SparesTheLast: "test_discard_of_all_is_destroy",
    SeesGhosts: "test_a_lost_node_is_brought_back",
    IgnoresCase: "test_groups_never_see_each_other",
    JoinsNames: "test_groups_never_see_each_other",
    MatchesBeginnings: "test_groups_never_see_each_other",
    OneAtATime: "test_groups_are_served_at_once",
    NeedsItsBlock: "test_works_without_a_block",
    ClosesForAll: "test_blocks_may_overlap",
    TagsLate: "test_a_cancelled_start_loses_nothing",
}


@pytest.mark.parametrize("kind", BREACHES, ids=lambda kind: kind.__name__)
def test_each_breach_fails_its_test(kind: type[Memory]) -> None:
    """A driver with one fault fails the test that is about it, which one without passes."""
    name = BREACHES[kind]
    getattr(Contract(Memory), name)()
    with pytest.raises((AssertionError, LookupError, RuntimeError)):
        getattr(Contract(kind), name)()


def test_every_test_of_the_suite_can_fail() -> None:
    """Each test of the suite has a breach that it finds, but the one that needs real SSH."""
    tests = {name for name in vars(DriverContract) if name.startswith("test_")}
    assert tests - set(BREACHES.values()) == {"test_nodes_accept_the_authorized_key"}
