"""Failures and batches: what is decided, without any node."""

from collections.abc import Sequence

import pytest

from tinycloud import InvalidInput
from tinycloud.cloud.policy import Amount, Policy


@pytest.mark.parametrize(
    ("serial", "count", "sizes"),
    [
        (None, 7, [7]),
        (None, 0, [0]),
        (1, 3, [1, 1, 1]),
        ("1,10%,100%", 50, [1, 5, 44]),
        ("1, 10%", 20, [1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1]),
        (("1", "50%"), 5, [1, 2, 2]),
        ([2, 100], 7, [2, 5]),
        ("1%", 3, [1, 1, 1]),
        ("100%", 4, [4]),
        ("99", 4, [4]),
        ("5", 0, []),
    ],
)
def test_batches(serial: Amount | Sequence[Amount] | None, count: int, sizes: list[int]) -> None:
    """Batches hold every item once, in order; shares are of all, rounded down, and at least 1."""
    batches = Policy.of(serial=serial).batches(range(count))
    assert [len(batch) for batch in batches] == sizes
    assert [item for batch in batches for item in batch] == list(range(count))


@pytest.mark.parametrize(
    ("policy", "total", "most"),
    [
        (Policy.of(), 10, 10),
        (Policy.of(fail_fast=True), 10, 0),
        (Policy.of(serial=2), 10, 0),
        (Policy.of(max_fail=3), 10, 3),
        (Policy.of(max_fail="0"), 10, 0),
        (Policy.of(max_fail="10%"), 100, 10),
        (Policy.of(max_fail="10%"), 19, 1),
        (Policy.of(max_fail="10%"), 9, 0),
        (Policy.of(max_fail="100%", serial=1), 10, 10),
        (Policy.of(max_fail=2, fail_fast=True, serial="1,50%"), 10, 2),
    ],
)
def test_tolerance(policy: Policy, total: int, most: int) -> None:
    """So many nodes may fail; one more, and there is an objection that says why."""
    names = [f"web-{n}" for n in range(total)]
    assert policy.objection(names[:most], total) is None
    if most < total:
        expected = f"{most + 1} nodes failed, {most} may" if most else "web-0 failed"
        assert policy.objection(names[: most + 1], total) == expected


@pytest.mark.parametrize("amount", ["", "-1", "x", "1.5", "101%", "5%%", "% 5", -3, "9" * 10])
def test_no_amount(amount: Amount) -> None:
    """What is neither a number of nodes nor a share of them is refused."""
    with pytest.raises(InvalidInput):
        Policy.of(max_fail=amount)
    with pytest.raises(InvalidInput):
        Policy.of(serial=amount)


@pytest.mark.parametrize("serial", [0, "0", "0%", "1,0", "1,,2", ()])
def test_no_batch(serial: Amount | Sequence[Amount]) -> None:
    """A batch of nothing, with which it would never end, is refused."""
    with pytest.raises(InvalidInput):
        Policy.of(serial=serial)
