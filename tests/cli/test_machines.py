"""What the command line says about machines to be made, as drivers are told of it."""

import pytest

from tinycloud import InvalidInput
from tinycloud.cli.machines import Wishes

from .running import Cli


def test_what_was_not_said_is_not_told() -> None:
    """A driver has its own defaults."""
    assert Wishes().options() == {}


def test_all_that_can_be_said() -> None:
    """One type is a word, several are a list; tags are names and values."""
    wishes = Wishes(
        key="mykey",
        type=["t3.medium"],
        image="debian",
        size=20,
        ports=[22, 80],
        region="eu-west-1",
        profile="work",
        subnet="subnet-1",
        zone="eu-west-1a",
        spot=True,
        fallback=True,
        allow=["10.0.0.0/8"],
        iam_profile="reader",
        tags=["team=a=b", "empty="],
    )
    assert wishes.options() == {
        "key": "mykey",
        "type": "t3.medium",
        "image": "debian",
        "size": 20,
        "ports": (22, 80),
        "region": "eu-west-1",
        "profile": "work",
        "subnet": "subnet-1",
        "zone": "eu-west-1a",
        "spot": True,
        "fallback": True,
        "allow": ("10.0.0.0/8",),
        "iam_profile": "reader",
        "tags": {"team": "a=b", "empty": ""},
    }
    assert Wishes(type=["a.b", "c.d"]).options() == {"type": ("a.b", "c.d")}


@pytest.mark.parametrize("text", ["", "name", "=value"])
def test_what_is_no_tag(text: str) -> None:
    """A tag has a name and a value."""
    with pytest.raises(InvalidInput, match="not a tag"):
        Wishes(tags=[text]).options()


@pytest.mark.parametrize("option", [("--subnet", "subnet-1"), ("--spot",), ("--tag", "a=b")])
def test_a_driver_that_has_no_use_for_it(cli: Cli, option: tuple[str, ...]) -> None:
    """It is refused, so that nobody thinks that it was heeded."""
    refused = cli("launch", "v", "--driver", "local", *option, "-q")
    assert "driver 'local' takes no" in refused.err
    assert refused.refused().startswith("leave it out")
