"""A launch that is cancelled, wherever that is, takes back what it made and nothing else."""

import asyncio
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import steps
from clusters import files, local, node_processes
from machines import Memory, MemoryNode, Provider, Trouble, Troubled, fail

from tinycloud import Cloud, Driver, Group, GroupSpec, LaunchFailed, PerNode, Status


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Don't wait for the disk: each test here launches some hundred times."""
    monkeypatch.setattr("os.fsync", lambda descriptor: None)


def halted(provider: Provider) -> Trouble:
    """Return the trouble that the nodes of `db` stop as soon as they have started."""

    async def trouble(verb: str, spec: GroupSpec) -> None:
        if (verb, spec.tag) == ("start", "db"):
            for index in provider.group(spec):
                provider.halt(spec, index)

    return trouble


def per_node(provider: Provider) -> Driver:
    """Return a driver made of drivers of single machines."""
    return PerNode(lambda spec, index: MemoryNode(provider, spec, index))


def refusing(provider: Provider) -> Driver:
    """Return a driver that makes the nodes of `db`, and then says that it can't."""
    return Troubled(Memory(provider), after=fail("start", "db", RuntimeError("no more")))


def halting(provider: Provider) -> Driver:
    """Return a driver whose nodes of `db` don't stay up."""
    return Troubled(Memory(provider), after=halted(provider))


@dataclass(frozen=True, kw_only=True)
class Case:
    """A launch of 2 nodes `web` and 1 `db`, and how many of each there are before it."""

    driver: Callable[[Provider], Driver] = Memory
    before: tuple[int, int] | None = None
    stopped: bool = False
    minimum: int | None = None
    error: type[Exception] | None = None

    def launch(self, provider: Provider) -> "steps.Work":
        """Return the launch."""
        cloud = cluster(self.driver(provider), 2, 1)
        return cloud.launch(wait=False, minimum=self.minimum)


CASES = {
    "new": Case(),
    "larger": Case(before=(1, 0)),
    "stopped": Case(before=(2, 1), stopped=True),
    "per node": Case(driver=per_node, before=(1, 0)),
    "refused": Case(driver=refusing, error=LaunchFailed),
    "refused, some there": Case(driver=refusing, before=(1, 0), error=LaunchFailed),
    "fewer": Case(driver=halting, before=(1, 0), minimum=0),
}


def cluster(driver: Driver, web: int, db: int) -> Cloud:
    """Return a cluster of two groups of this driver."""
    return Cloud([Group("web", web, driver), Group("db", db, driver)], name="c")


@dataclass
class Scene:
    """All that there is of the cluster: machines, what was prepared, what is recorded."""

    ids: dict[str, str]
    statuses: set[Status]
    prepared: set[tuple[str, str]]
    kept: dict[str, bytes]

    @classmethod
    def now(cls, provider: Provider, state: Path) -> "Scene":
        """Return how things are."""
        kept = {p.name: p.read_bytes() for p in state.rglob("*") if p.is_file()}
        kept.pop("lock", None)
        return cls(
            ids=provider.ids(),
            statuses={n.status for group in provider.machines.values() for n in group.values()},
            prepared=set(provider.prepared),
            kept=kept,
        )


@contextmanager
def staged(case: Case, state: Path) -> Iterator[tuple[Provider, Scene]]:
    """Set up what is there before the launch; afterwards all can be launched, and destroyed."""
    provider = Provider()
    sound = per_node(provider) if case.driver is per_node else Memory(provider)
    if case.before is not None:
        asyncio.run(_stage(cluster(sound, *case.before), stopped=case.stopped))
    yield provider, Scene.now(provider, state)
    asyncio.run(_end(cluster(sound, 2, 1)))
    assert (provider.ids(), provider.prepared) == ({}, set())
    assert not state.exists()


async def _stage(cloud: Cloud, *, stopped: bool) -> None:
    await cloud.launch(wait=False)
    if stopped:
        await cloud.stop()


async def _end(cloud: Cloud) -> None:
    nodes = await cloud.launch(wait=False)
    assert {tag: len(group) for tag, group in nodes.items()} == {"web": 2, "db": 1}
    await cloud.destroy()


def check(case: Case, state: Path, *cancel_at: int) -> steps.Run:
    """Run the launch, cancelled after these steps, and check what has become of everything."""
    with staged(case, state) as (provider, before):
        ran = steps.run(case.launch(provider), cancel_at=cancel_at)
        after = Scene.now(provider, state)
        if not ran.cancelled and ran.error is None:
            assert set(after.ids) >= {"c/web-0", "c/web-1"}
            assert before.ids.items() <= after.ids.items()
        else:
            assert (after.ids, after.statuses) == (before.ids, before.statuses)
            assert after.prepared <= before.prepared | {("c", "web-1")}
            assert after.kept == before.kept
            if case.before is None:
                assert not state.exists()
    assert ran.cancelled or isinstance(ran.error, case.error or type(None))
    return ran


def some(last: int, most: int) -> range:
    """Return at most so many steps out of all, evenly spread."""
    return range(1, last, -(-last // most))


ALL_CASES = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


@ALL_CASES
def test_cancelled_after_a_step_it_undoes_itself(case: Case, state: Path) -> None:
    """Wherever it waits, a cancelled launch leaves what was there, and nothing of its own."""
    last = check(case, state).steps
    assert last > 20
    assert all(check(case, state, step).cancelled for step in some(last, 30))


@ALL_CASES
def test_cancelled_twice_it_undoes_itself_all_the_same(case: Case, state: Path) -> None:
    """A second cancellation, while the first one's clean-up runs, does not stop that."""
    last = check(case, state).steps
    for step in some(last, 8):
        check(case, state, step, step + 1 + step % 5)


def real_launch(cancel_at: int) -> steps.Run:
    """Add two local nodes to a cluster of one, cancelled after this step; check all that is."""
    asyncio.run(_launch_local(0))
    before = node_processes()
    ran = steps.run(local(2).launch(), cancel_at=[cancel_at])
    if ran.cancelled:
        assert node_processes() == before
        assert len(files("node.json")) == 1
        (master,) = asyncio.run(local(2).execute("true"))
        assert master.ok
    else:
        assert (ran.error, len(files("node.json"))) == (None, 3)
    asyncio.run(_destroy_local())
    assert (node_processes(), files()) == ([], [])
    return ran


async def _launch_local(workers: int) -> None:
    await local(workers).launch()


async def _destroy_local() -> None:
    await local(2).destroy()


def test_a_real_launch_cancelled_after_some_steps_undoes_itself() -> None:
    """With local nodes too, while they are forked, connected to and greeted."""
    last = real_launch(0).steps
    for number in range(1, 6):
        assert real_launch(last * number // 6).cancelled


@pytest.mark.exhaustive
@pytest.mark.timeout(1800)
def test_a_real_launch_cancelled_after_any_step_undoes_itself() -> None:
    """It is so for every step."""
    for step in itertools.count(1):
        if not real_launch(step).cancelled:
            break


@ALL_CASES
@pytest.mark.exhaustive
def test_cancelled_after_any_steps_it_undoes_itself(case: Case, state: Path) -> None:
    """It is so for every step, and for every second cancellation within eight steps of it."""
    for step in range(1, check(case, state).steps):
        for later in range(8):
            check(case, state, step, step + later)
