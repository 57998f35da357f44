"""What a driver can be made with: said wrong, it is said at once."""

import json
from typing import Any

import pytest

from tinycloud import InvalidInput
from tinycloud.drivers.aws import AWS
from tinycloud.drivers.aws.architecture import architecture
from tinycloud.drivers.aws.limiter import Bucket
from tinycloud.drivers.aws.userdata import user_data
from tinycloud.store.keys import new_key


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"type": "big"}, "not an instance type: 'big'"),
        ({"type": ("t3.medium", "t4g.medium")}, "do not run the same image"),
        ({"image": "windows"}, "no image is called 'windows'"),
        ({"size": 0}, "no disk has 0 GiB"),
        ({"ports": (0,)}, "no port 0"),
        ({"allow": "everyone"}, "not a network"),
        ({"account": "me"}, "no account of AWS is 'me'"),
        ({"fallback": True}, "no use without spot"),
        ({"tags": {"tinycloud:id": "mine"}}, "can't be a tag 'tinycloud:id'"),
        ({"tags": {f"t{n}": "" for n in range(40)}}, "40 tags are too many"),
    ],
)
def test_what_makes_no_sense(options: dict[str, Any], said: str) -> None:
    """It is refused when the driver is made, before anything is asked."""
    with pytest.raises(InvalidInput, match=said):
        AWS(**options)


def test_options_make_the_same_driver() -> None:
    """What is recorded is what was given, as JSON holds it, and port 22 is always open."""
    given: dict[str, Any] = {
        "key": "mykey",
        "type": ["m7i.large", "m6i.large"],
        "image": "debian",
        "size": 30,
        "ports": (8080,),
        "region": "eu-central-1",
        "subnet": "subnet-1",
        "spot": True,
        "fallback": True,
        "allow": ["203.0.113.7"],
        "tags": {"team": "blue"},
        "iam_profile": "reader",
        "account": "123456789012",
    }
    driver = AWS(**given)
    kept = json.loads(json.dumps(driver.options))
    assert kept == {**given, "ports": [22, 8080], "allow": ["203.0.113.7/32"]}
    assert AWS(**kept).options == driver.options
    assert AWS().options == {}


@pytest.mark.parametrize(
    ("kind", "types"),
    [
        (
            "x86_64",
            "t3.medium m7i.large g4dn.xlarge g5.xlarge c5n.large u7i-12tb.224xlarge m1.large",
        ),
        (
            "arm64",
            "t4g.micro m7g.large c6gn.large im4gn.large g5g.xlarge a1.medium r8gd.metal-24xl",
        ),
        ("arm64", "p6e-gb200.36xlarge"),
    ],
)
def test_processors(kind: str, types: str) -> None:
    """The name of a type tells which images run on it."""
    assert {architecture(one) for one in types.split()} == {kind}


def test_a_bucket() -> None:
    """So many calls at once are free; after that each waits for its turn."""
    bucket = Bucket(2.0, 4.0)
    now = bucket._when
    assert [bucket.take(now) for _ in range(4)] == [0.0, 0.0, 0.25, 0.5]
    assert bucket.take(now + 10) == 0.0


def test_too_much_user_data() -> None:
    """What EC2 would refuse is refused here, with what helps."""
    with pytest.raises(InvalidInput, match="too much to tell new machines"):
        user_data(new_key(""), ["ssh-rsa " + 6000 * "A"] * 3, None)
