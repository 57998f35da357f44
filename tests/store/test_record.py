"""The record of a cluster."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinycloud.errors import InvalidInput
from tinycloud.store import GroupRecord, Record

PATH = Path("/some where/record.json")
RECORD = Record(
    name="voltron",
    generation="abc",
    created_at="2026-11-22T11:40:13+00:00",
    groups=(
        GroupRecord(tag="master", count=1, driver="local"),
        GroupRecord(tag="worker", count=5, driver="aws", options={"key": "ü"}, absent=(2, 4)),
        GroupRecord(tag="web", count=1, driver="hosts", via="ada@gate", ttl=60, setup="echo\n"),
    ),
    keyfile="/home/ada/key",
    authorize=("ssh-ed25519 AAAA ada",),
)


def changed(**changes: object) -> bytes:
    """Return the file of the record, with other content."""
    return json.dumps({**json.loads(RECORD.to_json()), **changes}).encode() + b"\n"


def read(data: bytes) -> Record:
    """Return the record that a file of the cluster voltron holds."""
    return Record.from_json(data, "voltron", PATH)


def test_what_is_written_is_read() -> None:
    """A record comes back as it was."""
    assert read(RECORD.to_json()) == RECORD


def test_a_record_cut_at_any_byte_is_damaged() -> None:
    """However little is missing, it is said, and what helps."""
    data = RECORD.to_json()
    for length in range(len(data)):
        with pytest.raises(InvalidInput) as caught:
            read(data[:length])
        assert "the record of cluster 'voltron' is damaged" in str(caught.value)
        assert caught.value.fix.startswith("rm '/some where/record.json', then run the same")


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_make_anything_but_a_record_or_an_error(data: bytes) -> None:
    """Whatever the file holds, it is a record or damaged."""
    with pytest.raises(InvalidInput):
        read(data + b"\n")


BAD = {
    "other cluster": {"name": "lion"},
    "no groups": {"groups": None},
    "a group of no kind": {"groups": ["master"]},
    "a tag that nothing can have": {"groups": [{"tag": "../x"}]},
    "older than all": {"format": 0},
    "of no format": {"format": "one"},
    "of a listed format": {"format": []},
}


@pytest.mark.parametrize("changes", BAD.values(), ids=BAD)
def test_what_nobody_wrote_is_damaged(changes: dict[str, object]) -> None:
    """Content that tinycloud can't have written is not guessed at."""
    with pytest.raises(InvalidInput, match="is damaged"):
        read(changed(**changes))


@pytest.mark.parametrize("count", [-1, 10**9, None, "many", 1e400])
def test_a_size_that_no_group_has_is_damage(count: object) -> None:
    """A damaged number makes nobody count to the end of time."""
    group = replace(RECORD.groups[0]).to_content() | {"count": count}
    with pytest.raises(InvalidInput, match="is damaged"):
        read(changed(groups=[group]))


def test_a_newer_format_asks_for_a_newer_tinycloud() -> None:
    """What a later version wrote is not damaged, and not guessed at."""
    with pytest.raises(InvalidInput, match="has format 2") as caught:
        read(changed(format=2, groups="in another way"))
    assert caught.value.fix == "upgrade tinycloud"


def test_nesting_without_end_is_damage() -> None:
    """What no parser can follow is damaged, too."""
    with pytest.raises(InvalidInput, match="is damaged"):
        read(b"[" * 100_000 + b"\n")
