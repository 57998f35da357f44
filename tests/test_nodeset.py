"""Node sets: what people write is what they get, and what we write they can give back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinycloud.errors import InvalidInput
from tinycloud.nodeset import MOST, expanded, folded, indices

NAMES = st.from_regex(r"[a-z][a-z0-9.-]{0,6}[0-9]{0,4}[a-z.-]{0,3}(:[0-9]{1,5})?", fullmatch=True)
NUMBERED = st.tuples(
    st.sampled_from(["n", "worker-", "web-2-", "10.0.0."]),
    st.integers(0, 130),
    st.integers(0, 3),
    st.sampled_from(["", ".example.org", ":2222"]),
).map(lambda name: f"{name[0]}{str(name[1]).zfill(name[2])}{name[3]}")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("host", ["host"]),
        ("10.0.0.[1-3]", ["10.0.0.1", "10.0.0.2", "10.0.0.3"]),
        ("n[01-03,20]", ["n01", "n02", "n03", "n20"]),
        ("n[8-11]", ["n8", "n9", "n10", "n11"]),
        ("n[098-101]", ["n098", "n099", "n100", "n101"]),
        ("n[7]", ["n7"]),
        ("r[1-2]n[01-02]", ["r1n01", "r1n02", "r2n01", "r2n02"]),
        ("a[1-2].example.org:2222", ["a1.example.org:2222", "a2.example.org:2222"]),
        ("b,a[2,1], c", ["b", "a2", "a1", "c"]),
        ("a,b,a,b[1-1],b1", ["a", "b", "b1"]),
        ("[::1]:22", ["[::1]:22"]),
        ("[fe80::1%eth0]:22,[2001:db8::2]", ["[fe80::1%eth0]:22", "[2001:db8::2]"]),
        ("pi@[::1]", ["pi@[::1]"]),
        ("2001:db8::[1-2]", ["2001:db8::1", "2001:db8::2"]),
        ("a[1-2]:[80-81]", ["a1:80", "a1:81", "a2:80", "a2:81"]),
    ],
)
def test_a_set_stands_for_its_names(text: str, names: list[str]) -> None:
    """Ranges, lists, several brackets, padding, ports and IPv6 addresses, in the order written."""
    assert list(expanded(text)) == names


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "an empty name"),
        ("a,,b", "an empty name"),
        ("a,", "an empty name"),
        ("n[1-3", "'[' without its other half"),
        ("n1-3]", "']' without its other half"),
        ("n[[1-3]]", "'[' without its other half"),
        ("n[]", "'' is not a number"),
        ("n[1,]", "'' is not a number"),
        ("n[1-]", "'' is not a number"),
        ("n[-1]", "'' is not a number"),
        ("n[1-2-3]", "'2-3' is not a number"),
        ("n[a-c]", "'a' is not a number"),
        ("n[\u0661-\u0663]", "'\u0661' is not a number"),
        ("n[3-1]", "3 comes after 1"),
        ("n[01-100]", "01 and 100 have different numbers of digits"),
        ("n[1-010]", "1 and 010 have different numbers of digits"),
        ("n[1-9999999999999999]", "9999999999999999 has more than 15 digits"),
        ("n[1-100001]", "100001 names, 100000 at most"),
        ("n[1-1000],m[1-1000]x[1-1000]", "1001000 names, 100000 at most"),
        ("n[0-9]" * 50, f"{10**50} names, 100000 at most"),
    ],
)
def test_what_is_no_set_is_said_to_be_none(text: str, cause: str) -> None:
    """Each mistake has an error of its own, with a remedy; nothing is expanded for it."""
    with pytest.raises(InvalidInput) as caught:
        expanded(text)
    assert caught.value.cause == cause
    assert caught.value.fix


def test_a_set_may_be_as_large_as_is_said() -> None:
    """The bound is inclusive."""
    assert len(expanded(f"n[1-{MOST}]")) == MOST


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ([], ""),
        (["master-0"], "master-0"),
        (["worker-7", "master-0", *(f"worker-{i}" for i in range(4))], "worker-[0-3,7],master-0"),
        (["web-2-0", "web-2-1", "web-0"], "web-2-[0-1],web-0"),
        (["n08", "n09", "n10", "n100"], "n[08-10,100]"),
        (["n8", "n9", "n10"], "n[8-10]"),
        (["n1", "n01", "n2"], "n[1,01,2]"),
        (["10.0.0.1", "10.0.0.2"], "10.0.0.[1-2]"),
        (["10.0.0.1:2222", "10.0.0.2:2222"], "10.0.0.[1-2]:2222"),
        (["a1.org", "a2.org", "a1.com"], "a[1-2].org,a1.com"),
        (["group web", "host"], "group web,host"),
        (["n", "n1", "n2"], "n,n[1-2]"),
        (["[::1]:22", "[::2]:22"], "[::1]:22,[::2]:22"),
    ],
)
def test_names_are_folded(names: list[str], text: str) -> None:
    """Names that differ in a number become one short text; others stay as they are."""
    assert folded(names) == text


@given(st.lists(NAMES | NUMBERED, max_size=60))
def test_what_is_folded_can_be_expanded(names: list[str]) -> None:
    """No name is lost or added, whatever the names are."""
    assert set(expanded(folded(names)) if names else ()) == set(names)


@given(st.lists(NUMBERED, min_size=1, max_size=60))
def test_folding_is_stable(names: list[str]) -> None:
    """The folded text of a set's names is the same however the names are given."""
    text = folded(sorted(names))
    assert folded(sorted(expanded(text))) == text
    assert folded(sorted(names) * 2) == text


@given(st.text(alphabet="n0123456789[]-,:.@ ", max_size=30))
def test_any_text_is_a_set_or_an_error(text: str) -> None:
    """Nothing but `InvalidInput` is ever raised, and no name is empty."""
    try:
        names = expanded(text)
    except InvalidInput:
        return
    assert names
    assert all(names)


@given(st.sets(st.integers(0, 1000), min_size=1, max_size=50))
def test_indices_and_folded_agree(numbers: set[int]) -> None:
    """The list of indices in a folded text is read as an INDEX."""
    text = folded(f"worker-{number}" for number in numbers)
    assert indices(text.removeprefix("worker-").strip("[]")) == tuple(sorted(numbers))


@pytest.mark.parametrize(
    "text", ["", "x", "-1", "1-", "5-2", "1,,2", "1000001", "9" * 5000, "\u0663"]
)
def test_what_is_no_index_is_said_to_be_none(text: str) -> None:
    """An INDEX that can't be read is an error with a remedy."""
    with pytest.raises(InvalidInput, match="not an INDEX") as caught:
        indices(text)
    assert caught.value.cause
    assert "0-3,7" in caught.value.fix
