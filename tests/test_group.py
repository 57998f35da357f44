"""Names, sizes, and what a driver is told about a group."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinycloud import Group, GroupSpec, InvalidInput
from tinycloud.drivers.local import Local
from tinycloud.group import NAME_LENGTH, checked_name

ALLOWED = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", fullmatch=True)


@given(ALLOWED)
def test_a_plain_name_is_allowed(name: str) -> None:
    """Letters, digits, dashes and underscores, up to 63, name a cluster or a group."""
    assert checked_name(name) == name


@pytest.mark.parametrize("name", ["a", "9", "web-2", "Web", "v1.2", "a_b", "x" * NAME_LENGTH])
def test_usual_names_are_allowed(name: str) -> None:
    """What people call clusters is allowed, a single character too, up to the limit."""
    assert checked_name(name) == name


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("", "it is empty"),
        ("-a", "it begins with '-'"),
        (".a", "it begins with '.'"),
        ("a/b", "it holds '/'"),
        ("..", "it holds '..'"),
        ("a..b", "it holds '..'"),
        ("a\0", "it holds '\\x00'"),
        ("a\n", "it holds '\\n'"),
        ("a\x1b[31m", "it holds '\\x1b'"),
        ("x" * 64, "64 characters, 63 at most"),
        ("a*", "it holds '*'"),
        ("a?", "it holds '?'"),
        ("a b", "it holds ' '"),
        ("\u00e9t\u00e9", "it begins with '\u00e9'"),
        ("a\u0660", "it holds '\u0660'"),
    ],
)
def test_a_name_that_could_do_harm_is_refused(name: str, cause: str) -> None:
    """What is no folder, tag and host name at once is refused, saying why and what to do."""
    with pytest.raises(InvalidInput) as caught:
        checked_name(name, "tag")
    assert caught.value.what.startswith("not a tag: ")
    assert caught.value.cause == cause
    assert caught.value.fix


def refusal(name: str) -> InvalidInput | None:
    """Return what is said against a name."""
    try:
        checked_name(name)
    except InvalidInput as error:
        return error
    return None


@given(st.text())
def test_a_refusal_is_one_line_and_what_is_allowed_is_plain(name: str) -> None:
    """Whatever a name holds, its refusal can be printed; what is not refused can do no harm."""
    error = refusal(name)
    if error is None:
        assert name.isascii()
        assert 0 < len(name) <= NAME_LENGTH
        assert not set(name) & set("/\\*?: \n")
    else:
        assert str(error).isprintable()
        assert len(error.what) < 500


def test_a_spec_checks_both_names() -> None:
    """A spec of an impossible cluster or tag can't be made."""
    with pytest.raises(InvalidInput, match="cluster name"):
        GroupSpec(cluster="..", tag="web", count=1)
    with pytest.raises(InvalidInput, match="tag"):
        GroupSpec(cluster="c", tag="a/b", count=1)


@pytest.mark.parametrize("ttl", [0, -1, math.inf, math.nan])
def test_a_time_to_live_is_positive(ttl: float) -> None:
    """Nodes can't live for no time, nor for an unknown one; None stands for no limit."""
    with pytest.raises(InvalidInput, match="can't live"):
        GroupSpec(cluster="c", tag="web", count=1, ttl=ttl)
    with pytest.raises(InvalidInput, match="can't live"):
        Group("web", 1, Local(), ttl=ttl)
    assert GroupSpec(cluster="c", tag="web", count=1, ttl=None).ttl is None


def test_a_group_can_be_empty_but_not_less() -> None:
    """A group has 0 or more nodes."""
    assert Group("web", 0, Local()).count == 0
    with pytest.raises(InvalidInput, match="-1 nodes"):
        Group("web", -1, Local())
    with pytest.raises(InvalidInput, match="-1 nodes"):
        GroupSpec(cluster="c", tag="web", count=-1)
