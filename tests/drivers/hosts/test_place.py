"""Which host becomes which node: the first that are free, and for as long as it is one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinycloud.drivers.hosts.place import Place, Use, machine, nodes_of, reserved, used, without
from tinycloud.errors import InvalidInput
from tinycloud.host import Host

from .conftest import spec

HOSTS = tuple(Host(address=f"10.0.0.{number}", port=22) for number in range(1, 9))


def addresses(places: tuple[Place, ...], tag: str) -> dict[int, str]:
    """Return which address each index of a group has."""
    return {place.index: place.host.address for place in places if place.tag == tag}


def test_hosts_are_handed_out_in_their_order() -> None:
    """The first group gets the first hosts, the next one the next."""
    places = reserved(reserved((), spec("master", 1), HOSTS), spec("worker", 3), HOSTS)
    assert addresses(places, "master") == {0: "10.0.0.1"}
    assert addresses(places, "worker") == {0: "10.0.0.2", 1: "10.0.0.3", 2: "10.0.0.4"}
    assert len({place.id for place in places}) == 4


def test_a_promise_is_no_node_yet() -> None:
    """Hosts that are only promised are no nodes, and can be promised anew."""
    places = reserved((), spec("worker", 5), HOSTS)
    assert nodes_of(places, "worker") == ()
    again = reserved(places, spec("worker", 2), HOSTS)
    assert addresses(again, "worker") == {0: "10.0.0.1", 1: "10.0.0.2"}


def test_nodes_keep_their_hosts() -> None:
    """What is a node stays that host, whichever hosts are named now, and gaps are filled."""
    places = used(reserved((), spec("worker", 3), HOSTS), "worker", range(3), Use.RUNNING)
    places = without(places, "worker", [1])
    again = reserved(places, spec("worker", 4), HOSTS[3:])
    assert addresses(again, "worker") == {
        0: "10.0.0.1",
        1: "10.0.0.4",
        2: "10.0.0.3",
        3: "10.0.0.5",
    }
    assert again[:2] == places


def test_too_few_hosts() -> None:
    """The error names how many are needed, how many are free, and how many there are."""
    places = used(reserved((), spec("master", 1), HOSTS), "master", [0], Use.RUNNING)
    with pytest.raises(InvalidInput, match="not enough hosts for group 'worker'") as caught:
        reserved(places, spec("worker", 8), HOSTS)
    assert caught.value.cause == "it needs 8, and 7 of the 8 are free"
    places = used(reserved(places, spec("worker", 6), HOSTS), "worker", range(6), Use.RUNNING)
    with pytest.raises(InvalidInput) as caught:
        reserved(places, spec("worker", 8), HOSTS)
    assert caught.value.cause == "it needs 2 more, and 1 of the 8 are free"
    assert caught.value.fix


def test_one_machine_is_one_machine() -> None:
    """It is the same under another user and in capitals, and another on another port."""
    ada = Host(address="Gate", port=22, username="ada")
    assert machine(ada) == machine(Host(address="gate"))
    assert machine(ada) != machine(Host(address="gate", port=2222))


def test_others_are_left_alone() -> None:
    """What is done to a group, or to some of its nodes, is done to no other."""
    places = reserved(reserved((), spec("web", 2), HOSTS), spec("web-2", 2), HOSTS)
    places = used(places, "web", [0, 1], Use.RUNNING)
    stopped = used(places, "web", [1], Use.STOPPED)
    assert [place.use for place in stopped] == ["running", "stopped", "reserved", "reserved"]
    assert without(places, "web", [0]) == places[1:]
    assert without(places, "web") == places[2:]
    assert without(places, "we") == places


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 4), st.booleans()), max_size=8),
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 4)), max_size=8),
)
def test_no_host_has_two_places(
    launches: list[tuple[str, int, bool]], losses: list[tuple[str, int]]
) -> None:
    """Whatever is launched, started and forgotten, a host is one node, and an index one host."""
    places: tuple[Place, ...] = ()
    for tag, count, is_started in launches:
        before = nodes_of(places, tag)
        places = reserved(places, spec(tag, count), HOSTS)
        assert [p for p in places if p in before] == [
            p for p in places if p.exists and p.tag == tag
        ]
        if is_started:
            places = used(places, tag, range(count), Use.RUNNING)
            assert {p.index for p in nodes_of(places, tag)} >= set(range(count))
        if losses:
            lost, index = losses.pop()
            places = without(places, lost, [index])
        assert len({machine(place.host) for place in places}) == len(places)
        assert len({(place.tag, place.index) for place in places}) == len(places)
