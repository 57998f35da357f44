"""What is launched in which call, and under which token."""

from hypothesis import given
from hypothesis import strategies as st

from tinycloud.drivers.aws import batches, tags
from tinycloud.drivers.aws.batches import Place, Subnet

A, B, C = (Subnet(id=f"subnet-{zone}", zone=f"us-east-1{zone}", vpc="vpc-1") for zone in "abc")
PLACE = Place(subnet=A, type="t3.medium")


def test_zones_come_before_types() -> None:
    """Every zone is tried for a type before the next type is."""
    found = batches.places(("m7i.large", "m6i.large"), (B, A), spot=False, fallback=False)
    assert [(p.type, p.subnet.zone[-1]) for p in found] == [
        ("m7i.large", "a"),
        ("m7i.large", "b"),
        ("m6i.large", "a"),
        ("m6i.large", "b"),
    ]


def test_a_cluster_keeps_together() -> None:
    """The zones where it is already come first, in the order given."""
    found = batches.places(
        ("t3.medium",), (A, B, C), spot=False, fallback=False, first=["c", A.zone]
    )
    assert [p.subnet for p in found] == [A, B, C]
    found = batches.places(("t3.medium",), (A, B, C), spot=False, fallback=False, first=[C.zone])
    assert [p.subnet for p in found] == [C, A, B]


def test_spot_falls_back_only_on_wish() -> None:
    """All places are tried as spot before the first is tried at the full price."""
    kinds = [
        [p.spot for p in batches.places(("t3.medium",), (A, B), spot=spot, fallback=fallback)]
        for spot, fallback in ((False, False), (True, False), (True, True))
    ]
    assert kinds == [[False, False], [True, True], [True, True, False, False]]


def test_tokens_tell_launches_apart() -> None:
    """Another cluster, group, node, zone, type or attempt is another launch."""
    tokens = {
        batches.token("one", "worker", (0, 1), PLACE),
        batches.token("two", "worker", (0, 1), PLACE),
        batches.token("one", "master", (0, 1), PLACE),
        batches.token("one", "worker", (0,), PLACE),
        batches.token("one", "worker", (0, 1), Place(subnet=B, type="t3.medium")),
        batches.token("one", "worker", (0, 1), Place(subnet=A, type="t3.large")),
        batches.token("one", "worker", (0, 1), Place(subnet=A, type="t3.medium", spot=True)),
        batches.token("one", "worker", (0, 1), PLACE, 1),
    }
    assert len(tokens) == 8
    assert {len(token) for token in tokens} == {64}
    assert batches.token("one", "worker", (1, 0), PLACE) in tokens


def test_few_calls_for_many_nodes() -> None:
    """Five hundred go into one call, and not one more."""
    assert [len(batch) for batch in batches.split(range(500))] == [500]
    assert [len(batch) for batch in batches.split(range(1001))] == [500, 500, 1]
    assert list(batches.split(())) == []


@given(st.sets(st.integers(0, 5000), max_size=400))
def test_every_index_is_in_one_batch(indices: set[int]) -> None:
    """However they are scattered, each batch can be named by one tag."""
    found = list(batches.split(indices))
    assert [index for batch in found for index in batch] == sorted(indices)
    assert all(len(tags.packed(batch)) <= tags.LONGEST for batch in found)


@given(st.sets(st.integers(0, 5000), max_size=400))
def test_what_is_packed_is_unpacked(indices: set[int]) -> None:
    """A tag tells the indices of a batch, in the order of EC2's launch index."""
    assert tags.unpacked(tags.packed(indices)) == tuple(sorted(indices))


def test_indices_in_few_words() -> None:
    """Runs are written as their ends; what is damaged names nothing."""
    assert tags.packed(range(499)) == "0-498"
    assert tags.packed((4, 2)) == "2,4"
    for odd in ("", "x", "1-", "-1", "0-99999999999", "3,,4"):
        assert tags.unpacked(odd) == ()


def test_what_is_missing() -> None:
    """Gaps are filled, and surplus is nobody's business."""
    assert batches.missing(4, [0, 2, 9]) == (1, 3)


def test_a_cluster_without_a_record_has_an_id() -> None:
    """It is the same each time, and another for another name."""
    assert batches.derived_generation("a") == batches.derived_generation("a")
    assert batches.derived_generation("a") != batches.derived_generation("b")
