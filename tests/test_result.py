"""Results: every node in exactly one state, and unknown is never ok."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinycloud import CommandFailed, Node, Result, Results, State, Status


def result(index: int, state: State, **more: object) -> Result:
    """Return a result of one node."""
    node = Node(tag="web", index=index, id=f"id-{index}", status=Status.RUNNING)
    return Result(node=node, state=state, **more)  # type: ignore[arg-type]


STATES = st.lists(st.sampled_from(State), max_size=30)


@given(STATES)
def test_counts_add_up_to_the_number_of_nodes(states: list[State]) -> None:
    """Each node is counted once, under its state, in the order of the states."""
    results = Results(result(i, state) for i, state in enumerate(states))
    assert sum(results.counts.values()) == len(states)
    assert all(states.count(state) == count for state, count in results.counts.items())
    assert list(results.counts) == [state for state in State if state in states]


@given(STATES)
def test_results_are_ok_if_each_is(states: list[State]) -> None:
    """Anything but `ok`, on one node, makes the whole not ok; and `failed` holds just those."""
    results = Results(result(i, state) for i, state in enumerate(states))
    assert results.ok == all(state is State.OK for state in states)
    assert [r.node.index for r in results.failed] == [
        i for i, state in enumerate(states) if state is not State.OK
    ]


def test_there_are_nine_states() -> None:
    """The nine states are those of the contract, and one of them is ok."""
    words = "ok failed signalled timeout unreachable untrusted lost gone skipped"
    assert " ".join(State) == words
    assert [state.value for state in State if result(0, state).ok] == ["ok"]


def test_check_returns_what_is_ok() -> None:
    """Checking good results gives them back."""
    results = Results([result(0, State.OK, exit_status=0)])
    assert results.check() is results
    assert Results().check() == ()


def test_check_raises_with_all_results_and_the_first_reasons() -> None:
    """One error names five nodes and how many more, and carries the good results as well."""
    results = Results([result(0, State.OK), *(result(i, State.GONE) for i in range(1, 8))])
    with pytest.raises(CommandFailed) as caught:
        results.check()
    assert caught.value.results is results
    assert caught.value.what == "7 of 8 nodes failed"
    assert caught.value.cause.startswith("web-1: gone; web-2: gone")
    assert caught.value.cause.endswith("web-5: gone; and 2 more")


@given(st.binary())
def test_text_shows_any_bytes(data: bytes) -> None:
    """Text never fails: what is UTF-8 is decoded, and other bytes can still be seen."""
    text = result(0, State.OK, stdout=data).text
    try:
        assert text == data.decode()
    except UnicodeDecodeError:
        assert "\\x" in text


def test_a_node_has_the_name_people_use() -> None:
    """A node is called by its group and index."""
    assert result(3, State.OK).node.name == "web-3"
