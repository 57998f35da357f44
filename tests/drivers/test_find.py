"""Drivers are found by name, whoever offers them."""

import sys
from pathlib import Path

import pytest

from tinycloud import InvalidInput
from tinycloud.drivers import installed, make
from tinycloud.drivers.local import Local

MODULE = """
from tinycloud import PerNode, InvalidInput
from tinycloud.drivers.local import Local

class Zoned(Local):
    def __init__(self, zone, size=1):
        super().__init__()
        self.zone, self.size = zone, size

class Free(Local):
    def __init__(self, **anything):
        super().__init__()
        self.anything = anything

def cells():
    return PerNode(lambda spec, index: None)

def nothing():
    return 42

def picky():
    raise InvalidInput("no such zone", fix="take another")

def broken():
    raise OSError("disk on fire")

answer = 42
"""
NAMES = ("Zoned", "Free", "cells", "nothing", "picky", "broken", "answer", "missing")


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package of others that offers drivers, good ones and bad ones."""
    (tmp_path / "othersdrivers.py").write_text(MODULE)
    info = tmp_path / "othersdrivers-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: othersdrivers\nVersion: 1.0\n")
    points = "".join(f"{name.lower()} = othersdrivers:{name}\n" for name in NAMES)
    (info / "entry_points.txt").write_text(
        f"[tinycloud.drivers]\n{points}absent = nosuchmodule:Driver\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "othersdrivers", raising=False)


def test_built_in_and_others_drivers_are_installed() -> None:
    """All drivers have come in by the same door, and are listed by name."""
    names = installed()
    assert {"local", "zoned", "free", "cells"} <= set(names)
    assert list(names) == sorted(names)


def test_a_driver_is_made_by_name() -> None:
    """`local` is the local driver, a new one each time, and knows the name it is found by."""
    driver = make("local", {})
    assert isinstance(driver, Local)
    assert driver.name == "local"
    assert make("local", {}) is not driver


def test_options_are_passed_on() -> None:
    """A driver of others gets its options, and what makes them may be a class or a function."""
    zoned, free, cells = make("zoned", {"zone": "b"}), make("free", {"x": 1}), make("cells", {})
    assert (vars(zoned)["zone"], vars(zoned)["size"], zoned.name) == ("b", 1, "zoned")
    assert vars(free)["anything"] == {"x": 1}
    assert cells.name == "cells"


@pytest.mark.parametrize(
    ("name", "options", "what", "cause"),
    [
        ("gcp", {}, "no driver named 'gcp'", "local"),
        ("", {}, "no driver named ''", "local"),
        ("local", {"region": "x"}, "driver 'local' takes no 'region'", "no options"),
        ("zoned", {"zone": 1, "colour": 2}, "driver 'zoned' takes no 'colour'", "zone, size"),
        ("zoned", {"size": 2}, "driver 'zoned' needs 'zone'", "zone, size"),
        ("absent", {}, "driver 'absent' can't be loaded", "No module named 'nosuchmodule'"),
        ("missing", {}, "driver 'missing' can't be loaded", "has no attribute 'missing'"),
        ("answer", {}, "driver 'answer' can't be loaded", "42 is not a callable object"),
        ("nothing", {}, "driver 'nothing' can't be loaded", "makes a int, not a Driver"),
        ("broken", {}, "driver 'broken' can't be loaded", "OSError: disk on fire"),
        ("picky", {}, "no such zone", ""),
    ],
)
def test_what_can_t_be_made_says_why(
    name: str, options: dict[str, object], what: str, cause: str
) -> None:
    """Each way in which a driver can't be had has an error of its own, with a remedy."""
    with pytest.raises(InvalidInput) as caught:
        make(name, options)
    assert caught.value.what == what
    assert cause in caught.value.cause
    assert caught.value.fix
