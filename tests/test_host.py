"""Machines as people name them: what can be one is read, and all else refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinycloud.errors import InvalidInput
from tinycloud.host import Host, parsed_host


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("gate", Host(address="gate")),
        ("10.0.0.1", Host(address="10.0.0.1")),
        ("gate:2222", Host(address="gate", port=2222)),
        ("ada@gate", Host(address="gate", username="ada")),
        ("ada@gate.example.org:22", Host(address="gate.example.org", port=22, username="ada")),
        ("ada@corp@gate", Host(address="gate", username="ada@corp")),
        ("[::1]", Host(address="::1")),
        ("[::1]:22", Host(address="::1", port=22)),
        ("pi@[fe80::1%eth0]:22", Host(address="fe80::1%eth0", port=22, username="pi")),
        ("2001:db8::1", Host(address="2001:db8::1")),
        ("::ffff:10.0.0.1", Host(address="::ffff:10.0.0.1")),
    ],
)
def test_a_host_is_read(text: str, host: Host) -> None:
    """User, address and port, each of which but the address may be missing."""
    assert parsed_host(text) == host
    assert parsed_host(str(host)) == host


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "'' can't be an address"),
        ("@gate", "the user is empty"),
        ("-oProxyCommand=x", "'-oProxyCommand=x' can't be an address"),
        ("-l@gate", "'-l' can't be a user"),
        ("a b", "'a b' can't be an address"),
        ("a/b", "'a/b' can't be an address"),
        ("a\nb", "'a\\nb' can't be an address"),
        ("a\x1b[2J", "'a\\x1b[2J' can't be an address"),
        ("gate:", "'' is not a port"),
        ("gate:0", "'0' is not a port"),
        ("gate:65536", "'65536' is not a port"),
        ("gate:ssh", "'ssh' is not a port"),
        ("gate:\u0662\u0662", "'\u0662\u0662' is not a port"),
        ("[::1]22", "'[::1]22' can't be an address"),
        ("[::1", "'[::1' can't be an address"),
        ("[gate]", "'[gate]' can't be an address"),
        ("x" * 255, f"{'x' * 40!r} can't be an address"),
    ],
)
def test_what_is_no_host_is_refused(text: str, cause: str) -> None:
    """Nothing that ssh would take for an option, and nothing that breaks a line, is a host."""
    with pytest.raises(InvalidInput, match="not a host") as caught:
        parsed_host(text)
    assert caught.value.cause == cause
    assert caught.value.fix


@given(st.text(max_size=40) | st.from_regex(r"[a-z0-9@:.\[\]%-]{0,20}", fullmatch=True))
def test_any_text_is_a_host_or_an_error(text: str) -> None:
    """What is read is written so that it is read again as the same."""
    try:
        host = parsed_host(text)
    except InvalidInput:
        return
    assert parsed_host(str(host)) == host
