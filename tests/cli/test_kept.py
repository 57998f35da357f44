"""Output that is kept: counted and hashed whole, its ends at hand, in bounded memory."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tinycloud.cli.kept import Kept, Memory


def kept(*pieces: bytes, most: int) -> Kept:
    """Return what is kept of output that came in these pieces."""
    found = Kept()
    for piece in pieces:
        found.add(piece, most)
    return found


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=12), st.integers(2, 200))
def test_what_fits_is_kept_whole_and_of_the_rest_both_ends(pieces: list[bytes], most: int) -> None:
    """Ends are the output's own, no longer than allowed; nothing is missing unless it must be."""
    whole = b"".join(pieces)
    found = kept(*pieces, most=most)
    head, tail = found.ends()
    assert found.size == len(whole)
    assert min(len(whole), most - 1) <= found.held <= most
    if len(whole) <= most:
        assert (head, tail) == (whole, b"")
    else:
        assert whole.startswith(head)
        assert whole.endswith(tail)
        assert most // 2 - 3 <= len(head) <= most // 2


@given(st.lists(st.binary(max_size=40), max_size=5), st.integers(2, 50), st.integers(2, 50))
def test_equal_outputs_have_equal_digests(pieces: list[bytes], one: int, other: int) -> None:
    """However output is split on its way, and however little is kept, equal is equal."""
    whole = b"".join(pieces)
    assert kept(*pieces, most=one).digest == kept(whole, most=other).digest
    assert kept(*pieces, b"x", most=one).digest != kept(whole, most=one).digest


def test_no_letter_is_cut_through() -> None:
    """What is kept of text is text."""
    text = "aé漢😀" * 50
    for most in range(2, 60):
        head, tail = kept(text.encode(), most=most).ends()
        assert text.startswith(head.decode())
        assert text.endswith(tail.decode())
        assert len(head) >= most // 2 - 3
        assert len(tail) >= most // 2 - 3


def test_less_is_kept_of_each_the_more_there_is() -> None:
    """Long outputs give way to others, and short ones stay whole."""
    memory = Memory(budget=1000, most=600)
    long, others, short = Kept(), [Kept() for _ in range(10)], Kept()
    memory.add(short, b"short")
    memory.add(long, b"x" * 5000)
    assert long.held == 600
    for other in others:
        memory.add(other, b"y" * 300)
    assert short.ends() == (b"short", b"")
    assert sum(one.held for one in (long, short, *others)) <= 1000
    assert {one.size for one in others} == {300}
    assert all(one.held >= 30 for one in (long, *others))


def test_what_is_dropped_makes_room() -> None:
    """Who is not needed any more takes no memory from others."""
    memory = Memory(budget=100, most=100)
    for _ in range(50):
        gone = Kept()
        memory.add(gone, b"x" * 90)
        memory.drop(gone)
        memory.drop(gone)
    last = Kept()
    memory.add(last, b"z" * 100)
    assert last.ends() == (b"z" * 100, b"")
    another = Kept()
    memory.add(another, b"z" * 100)
    assert (last.held, another.held) == (50, 50)
    memory.drop(last)
    memory.drop(another)
    again = Kept()
    memory.add(again, b"z" * 100)
    assert again.held == 100
