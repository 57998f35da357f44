"""What the words of `tinycloud forward` mean."""

import pytest

from tinycloud import InvalidInput
from tinycloud.cli import ports
from tinycloud.cli.ports import Wish


def web(port: int, host: str = "localhost") -> Wish:
    """Return the wish for the same port here and there."""
    return Wish(local=port, host=host, port=port)


@pytest.mark.parametrize(
    ("word", "wish"),
    [
        ("8787", web(8787)),
        ("0:8787", Wish(local=0, host="localhost", port=8787)),
        ("80:8787", Wish(local=80, host="localhost", port=8787)),
        ("8787:db:5432", Wish(local=8787, host="db", port=5432)),
        ("0:10.0.0.7:80", Wish(local=0, host="10.0.0.7", port=80)),
        ("8787:[::1]:80", Wish(local=8787, host="::1", port=80)),
        ("65535", web(65535)),
    ],
)
def test_each_way_to_write_a_port(word: str, wish: Wish) -> None:
    """A port here, then perhaps a host, then the port there."""
    assert ports.wish(word) == wish


@pytest.mark.parametrize(
    "word",
    [
        "",
        "x",
        "0",
        "8787:",
        ":8787",
        "8787:db",
        "8787:db:",
        "8787:::1:80",
        "8787:a:b:80",
        "-1",
        "1e3",
    ],
)
def test_no_way_to_write_a_port(word: str) -> None:
    """The remedy shows how it is written."""
    with pytest.raises(InvalidInput) as error:
        ports.wish(word)
    assert "0:8787" in error.value.fix


@pytest.mark.parametrize(
    ("words", "socks", "chosen", "here"),
    [
        ("8787", None, (None, 0), [8787]),
        ("8787 8788", None, (None, 0), [8787, 8788]),
        ("worker 8787", None, ("worker", 0), [8787]),
        ("worker 4 8787", None, ("worker", 4), [8787]),
        ("worker 4 8787 8788", None, ("worker", 4), [8787, 8788]),
        ("worker 8787:db:80 8788", None, ("worker", 0), [8787, 8788]),
        ("worker 4 8787:db:80", None, ("worker", 4), [8787]),
        ("", 1080, (None, 0), [1080]),
        ("worker", 1080, ("worker", 0), [1080]),
        ("worker 4", 1080, ("worker", 4), [1080]),
        ("worker 4 8787", 1080, ("worker", 4), [8787, 1080]),
        ("8787", 0, (None, 0), [8787, 0]),
    ],
)
def test_which_word_is_what(
    words: str, socks: int | None, chosen: tuple[str | None, int], here: list[int]
) -> None:
    """TAG is no number; after it comes INDEX, unless that is all there is to forward."""
    request = ports.request(words.split(), socks=socks)
    assert (request.tag, request.index) == chosen
    assert [wish.local for wish in request.wishes] == here
    assert request.bind == "127.0.0.1"


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ("", "nothing to forward"),
        ("worker", "nothing to forward ('worker' is taken for a group)"),
        ("worker 0-1 8787", "can forward through one node at a time"),
        ("worker 0,1 8787", "can forward through one node at a time"),
        ("8787 8787", "port 8787 is asked for twice"),
        ("8787 0:8787 8787:db:1", "port 8787 is asked for twice"),
        ("8787 worker", "not a port to forward: 'worker'"),
        ("8787:x", "not a port to forward: '8787:x'"),
    ],
)
def test_words_that_make_no_sense(words: str, what: str) -> None:
    """What can't be meant is said before any node is asked."""
    with pytest.raises(InvalidInput) as error:
        ports.request(words.split())
    assert str(error.value) == what


def test_free_ports_may_be_asked_for_twice() -> None:
    """Two ports of 0 are two different ones."""
    assert len(ports.request(["0:80", "0:81"]).wishes) == 2
