"""The cluster's own id: one for its whole life, and every call tells drivers what it is."""

from machines import Memory, Provider, Troubled

from tinycloud import Cloud, Group, GroupSpec
from tinycloud.store import ClusterFolder


def watched() -> tuple[Cloud, list[tuple[str, str]]]:
    """Return a cloud, and the calls that its driver gets: the verb, and the generation."""
    calls: list[tuple[str, str]] = []

    async def note(verb: str, spec: GroupSpec) -> None:
        calls.append((verb, spec.generation))

    driver = Troubled(Memory(Provider()), before=note)
    return Cloud([Group("web", 2, driver)], name="c"), calls


async def test_every_call_tells_the_generation_that_is_recorded() -> None:
    """From the first call of a launch to the last of a destroy it is the recorded one."""
    cloud, calls = watched()
    await cloud.launch(wait=False)
    record = ClusterFolder("c").record()
    assert record is not None
    await cloud.list()
    await cloud.launch(wait=False)
    await cloud.stop()
    await cloud.destroy()
    assert {verb for verb, _ in calls} >= {"list", "prepare", "start", "stop", "destroy"}
    assert {generation for _, generation in calls} == {record.generation}


async def test_the_next_cluster_of_a_name_is_another_generation() -> None:
    """After destroy the same name stands for a new cluster."""
    cloud, calls = watched()
    for _ in range(2):
        await cloud.launch(wait=False)
        await cloud.destroy()
    assert len({generation for _, generation in calls}) == 2


async def test_without_a_record_no_generation_is_told() -> None:
    """Where nothing is recorded, drivers look for the names alone."""
    cloud, calls = watched()
    await cloud.list()
    await cloud.destroy()
    assert {generation for _, generation in calls} == {""}
