"""The orchestrator's decisions: plain functions of plain data."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machines import Memory, Provider

from tinycloud import Group, InvalidInput, Node, Status
from tinycloud.cloud import plan
from tinycloud.store import GroupRecord

INDICES = st.sets(st.integers(0, 12))


def group(count: int, tag: str = "web") -> Group:
    """Return a group of this size."""
    return Group(tag, count, Memory(Provider()))


def nodes(*indices: int, status: Status = Status.RUNNING, tag: str = "web") -> tuple[Node, ...]:
    """Return nodes with these indices."""
    return tuple(Node(tag=tag, index=i, id=f"{tag}{i}", status=status) for i in indices)


def record(count: int, *absent: int, tag: str = "web", driver: str = "memory") -> GroupRecord:
    """Return the record of a group."""
    return GroupRecord(tag=tag, count=count, driver=driver, absent=absent)


@given(count=st.integers(0, 10), running=INDICES, stopped=INDICES)
def test_a_change_makes_the_group_whole_and_touches_nothing_that_is_fine(
    count: int, running: set[int], stopped: set[int]
) -> None:
    """Each index is created, started, kept or surplus, never two of these, and none is removed."""
    there = nodes(*running) + nodes(*stopped - running, status=Status.STOPPED)
    found = plan.change(group(count), there)
    assert set(found.create) == set(range(count)) - running - stopped
    assert set(found.start) == (stopped - running) & set(range(count))
    assert set(found.keep) == running & set(range(count))
    assert set(found.surplus) == (running | stopped) - set(range(count))
    whole = (*found.create, *found.start, *found.keep)
    assert sorted(whole) == list(range(count))


def test_a_new_machine_is_known_by_its_id() -> None:
    """A machine under an old index with another id is new; one that stopped is not."""
    (old,) = nodes(0)
    stopped = nodes(0, status=Status.STOPPED)
    (other,) = nodes(0, tag="db")
    assert plan.created([old], stopped) == ()
    assert plan.created([old], [other]) == (other,)
    assert plan.created([], [old]) == (old,)


@given(old=st.integers(0, 12), new=st.integers(0, 12), absent=INDICES, given_up=INDICES)
def test_a_record_never_gets_smaller(
    old: int, new: int, absent: set[int], given_up: set[int]
) -> None:
    """The largest size is kept; of what was absent only what is asked for now is expected again."""
    before = record(old, *sorted(i for i in absent if i < old))
    missing = {i for i in given_up if i < new}
    (after,) = plan.merged([before], [group(new)], {"web": missing})
    assert after.count == max(old, new)
    assert set(after.absent) == missing | {i for i in before.absent if i >= new}
    assert list(after.absent) == sorted(after.absent)


def test_groups_that_are_not_launched_stay_recorded() -> None:
    """Merging keeps the others as they are, in their order, and adds new ones at the end."""
    before = [record(2, 1, tag="db"), record(1, tag="web")]
    after = plan.merged(before, [group(3), group(1, tag="new")], {})
    assert [(g.tag, g.count, g.absent) for g in after] == [
        ("db", 2, (1,)),
        ("web", 3, ()),
        ("new", 1, ()),
    ]
    assert plan.without(after, ["web", "new"]) == (before[0],)


@given(count=st.integers(0, 10), absent=INDICES, there=INDICES)
def test_expected_is_what_exists_and_what_should(
    count: int, absent: set[int], there: set[int]
) -> None:
    """Nodes are in order, each once; what is recorded and not there is terminated."""
    found = plan.expected(group(1), record(count, *absent), nodes(*there))
    assert [node.index for node in found] == sorted(there | (set(range(count)) - absent))
    for node in found:
        assert node.status is (Status.RUNNING if node.index in there else Status.TERMINATED)
    unrecorded = plan.expected(group(5), None, nodes(*sorted(there)))
    assert unrecorded == nodes(*sorted(there))


def test_a_clash_is_between_drivers_of_one_group() -> None:
    """Only a group that both have can clash, and only if its driver is another."""
    other = record(1, driver="local")
    assert plan.clash([other], [group(1)]) == other
    assert plan.clash([record(1)], [group(1)]) is None
    assert plan.clash([record(1, tag="db", driver="local")], [group(1)]) is None


def test_chosen_are_by_tag_and_index_in_order() -> None:
    """None stands for all; what nobody has is bad input, and says what there is."""
    groups = [group(2), group(1, tag="db"), group(0, tag="none")]
    every = nodes(0, 1) + nodes(0, tag="db")
    assert plan.chosen(every, groups, None, None) == every
    assert plan.chosen(every, groups, "web", {1, 0}) == nodes(0, 1)
    assert plan.chosen(every, groups, None, {0}) == nodes(0) + nodes(0, tag="db")
    assert plan.chosen(every, groups, "none", None) == ()
    with pytest.raises(InvalidInput, match="no group 'x'") as caught:
        plan.chosen(every, groups, "x", None)
    assert caught.value.fix == "take one of: web, db, none"
    with pytest.raises(InvalidInput, match="no node web-5") as caught:
        plan.chosen(every, groups, "web", {0, 5})
    assert caught.value.fix == "take an index from 0 to 1"
    with pytest.raises(InvalidInput, match="no node none-0") as caught:
        plan.chosen(every, groups, "none", {0})
    assert caught.value.fix == "launch nodes first"
    with pytest.raises(InvalidInput, match="no node with index 7"):
        plan.chosen(every, groups, None, {7})


def test_named_are_in_the_order_of_nodes() -> None:
    """Names narrow nodes down; one that no node has is told, with those that there are."""
    every = nodes(0, 1, 2)
    assert plan.named(every, None) == every
    assert plan.named(every, ["web-2", "web-0"]) == nodes(0, 2)
    assert plan.named(every, ()) == ()
    with pytest.raises(InvalidInput, match="no node db-1") as raised:
        plan.named(every, ["web-0", "db-1"])
    assert raised.value.fix == "take some of: web-[0-2]"


@pytest.mark.parametrize(
    ("web", "db", "minimum", "enough"),
    [
        (4, 1, 4, True),
        (3, 1, 4, False),
        (3, 1, 3, True),
        (4, 0, 3, False),
        (4, 0, 0, True),
        (0, 0, 0, True),
        (4, 1, 9, True),
    ],
)
def test_a_minimum_holds_for_each_group_up_to_its_size(
    web: int, db: int, minimum: int, enough: bool
) -> None:
    """Of groups of four and of one: so many of each, but not more than there could be."""
    groups = [group(4), group(1, tag="db")]
    assert plan.enough(groups, {"web": web, "db": db}, minimum) is enough
