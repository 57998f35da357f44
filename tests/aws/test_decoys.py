"""What is not this cluster's is not touched, however much it looks like it."""

import pytest

from .commands import LAUNCH, NAME, done, tinycloud
from .decoys import decoys, same_name
from .world import World

pytestmark = [pytest.mark.timeout(200), pytest.mark.usefixtures("no_time")]


def test_a_touched_decoy_is_noticed(ec2: World) -> None:
    """Whatever is done to one of them fails the check."""
    others = decoys(ec2, NAME)
    others.check_untouched()
    group = next(id_ for id_ in others.before if id_.startswith("sg-"))
    ec2.ask("CreateTags", **{"ResourceId.1": group, "Tag.1.Key": "a", "Tag.1.Value": "b"})
    with pytest.raises(AssertionError):
        others.check_untouched()


def test_what_looks_alike_is_left_alone(ec2: World) -> None:
    """Through launch, stop, start and destroy; and all that is ours is gone afterwards."""
    others = decoys(ec2, NAME)
    done(*LAUNCH, "-n", "1", "--no-wait")
    late = decoys(ec2, NAME.upper())
    for words in (("list",), ("status",), ("stop",), ("destroy",)):
        done(*words, NAME)
        others.check_untouched()
        late.check_untouched()
    assert set(ec2.left()) == {*others.before, *late.before}


def test_a_cluster_of_the_same_name_is_not_ours(ec2: World) -> None:
    """Where somebody else has one, a launch is refused; one that comes later is left alone."""
    theirs = same_name(ec2, NAME)
    refused = tinycloud(*LAUNCH, "--no-wait")
    assert refused.returncode == 3, refused.stderr
    assert "0123456789abcdef" in refused.stderr
    theirs.check_untouched()
    assert set(ec2.left()) == set(theirs.before)


def test_who_comes_later_with_our_name_is_left_alone(ec2: World) -> None:
    """The record knows which cluster is ours: another of its name is not destroyed with it."""
    done(*LAUNCH, "-n", "1", "--no-wait")
    theirs = same_name(ec2, NAME)
    assert len(done("list", NAME, "--json").split('"name"')) == 3
    done("destroy", NAME)
    theirs.check_untouched()
    assert set(ec2.left()) == set(theirs.before)
