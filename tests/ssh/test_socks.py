"""SOCKS as clients speak it (RFC 1928, SOCKS 4 and 4a): plain bytes in, plain bytes out."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinycloud.ssh.socks import LONGEST_NAME, Mistake, Negotiation, Reply

HELLO, WELCOME = b"\x05\x01\x00", b"\x05\x00"
PORT = b"\x22\x53"  # 8787

REQUESTS = {
    "5, by name": (HELLO + b"\x05\x01\x00\x03\x09localhost" + PORT, "localhost"),
    "5, IPv4": (HELLO + b"\x05\x01\x00\x01\x0a\x00\x00\x01" + PORT, "10.0.0.1"),
    "5, IPv6": (HELLO + b"\x05\x01\x00\x04" + bytes(15) + b"\x01" + PORT, "::1"),
    "5, several methods": (b"\x05\x03\x02\x00\x01\x05\x01\x00\x03\x01n" + PORT, "n"),
    "4": (b"\x04\x01" + PORT + b"\x0a\x00\x00\x01ada\x00", "10.0.0.1"),
    "4, no user": (b"\x04\x01" + PORT + b"\x7f\x00\x00\x01\x00", "127.0.0.1"),
    "4a": (b"\x04\x01" + PORT + b"\x00\x00\x00\x01ada\x00db.example\x00", "db.example"),
    "4, nowhere": (b"\x04\x01" + PORT + b"\x00\x00\x00\x00ada\x00", "0.0.0.0"),
}


def said(data: bytes, pieces: int) -> tuple[Negotiation, bytes]:
    """Return what came of a client that says this in pieces of so many bytes."""
    negotiation = Negotiation()
    answer = b""
    for begin in range(0, len(data), pieces):
        answer += negotiation.feed(data[begin : begin + pieces])
    return negotiation, answer


@pytest.mark.parametrize("pieces", [1, 2, 3, 1000])
@pytest.mark.parametrize("kind", REQUESTS)
def test_each_kind_of_request_is_understood(kind: str, pieces: int) -> None:
    """Where the client wants to go is known after its last byte, in whatever pieces it comes."""
    request, host = REQUESTS[kind]
    negotiation, answer = said(request, pieces)
    assert negotiation.to == (host, 8787)
    assert answer == (WELCOME if kind.startswith("5") else b"")
    assert negotiation.rest == b""
    assert said(request[:-1], pieces)[0].to is None


@pytest.mark.parametrize("kind", REQUESTS)
def test_what_follows_the_request_is_kept(kind: str) -> None:
    """A client that does not wait for our answer loses nothing of what it says to the target."""
    negotiation, _ = said(REQUESTS[kind][0] + b"GET / HTTP/1.0\r\n", 1000)
    assert negotiation.rest == b"GET / HTTP/1.0\r\n"


def test_the_answers_are_of_the_clients_version() -> None:
    """SOCKS 5 tells the reasons apart, SOCKS 4 knows yes and no."""
    five, _ = said(REQUESTS["5, IPv4"][0], 1000)
    assert five.reply(Reply.GRANTED) == b"\x05\x00\x00\x01" + bytes(6)
    assert five.reply(Reply.REFUSED) == b"\x05\x05\x00\x01" + bytes(6)
    four, _ = said(REQUESTS["4a"][0], 1000)
    assert four.reply(Reply.GRANTED) == b"\x00\x5a" + bytes(6)
    assert four.reply(Reply.UNREACHABLE) == b"\x00\x5b" + bytes(6)


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (b"GET / HTTP/1.0\r\n", b""),
        (b"\x06", b""),
        (b"\x05\x01\x02", b"\x05\xff"),
        (b"\x05\x00", b"\x05\xff"),
        (HELLO + b"\x05\x02\x00\x01", WELCOME + b"\x05\x07\x00\x01" + bytes(6)),
        (HELLO + b"\x05\x03\x00\x01", WELCOME + b"\x05\x07\x00\x01" + bytes(6)),
        (HELLO + b"\x05\x01\x00\x09", WELCOME + b"\x05\x08\x00\x01" + bytes(6)),
        (HELLO + b"\x05\x01\x00\x03\x02\xc3\xbc", WELCOME + b"\x05\x08\x00\x01" + bytes(6)),
        (HELLO + b"\x05\x01\x00\x03\x00", WELCOME + b"\x05\x08\x00\x01" + bytes(6)),
        (b"\x04\x02", b"\x00\x5b" + bytes(6)),
        (b"\x04\x01" + PORT + b"\x00\x00\x00\x01\x00\xff\x00", b"\x00\x5b" + bytes(6)),
        (b"\x04\x01" + PORT + b"\x00\x00\x00\x01\x00\x00", b"\x00\x5b" + bytes(6)),
    ],
)
def test_what_can_not_be_done_is_answered(words: bytes, answer: bytes) -> None:
    """A client that asks for what there is not is told so, in its version, and nothing more."""
    with pytest.raises(Mistake) as mistake:
        said(words, 1000)
    assert mistake.value.answer == answer


def test_a_name_without_an_end_is_not_waited_for() -> None:
    """Nobody fills our memory with a name that never ends."""
    begun = b"\x04\x01" + PORT + b"\x0a\x00\x00\x01"
    assert said(begun + b"a" * LONGEST_NAME, 1000)[0].to is None
    with pytest.raises(Mistake):
        said(begun + b"a" * (LONGEST_NAME + 1), 1000)


@given(data=st.binary(max_size=600), pieces=st.integers(1, 50))
def test_whatever_is_said_is_understood_or_a_mistake(data: bytes, pieces: int) -> None:
    """No bytes lead to any other end; a target is a name in ASCII or an address, and a port."""
    try:
        negotiation, _ = said(data, pieces)
    except Mistake:
        return
    if negotiation.to is not None:
        host, port = negotiation.to
        assert host.isascii()
        assert host
        assert 0 <= port < 1 << 16


@given(address=st.ip_addresses(), port=st.integers(0, 65535))
def test_every_address_arrives(address: object, port: int) -> None:
    """Each address of IPv4 and of IPv6, and each port, is what we connect to."""
    ip = ip_address(str(address))
    kind = b"\x01" if ip.version == 4 else b"\x04"
    request = HELLO + b"\x05\x01\x00" + kind + ip.packed + port.to_bytes(2, "big")
    assert said(request, 7)[0].to == (str(ip), port)
