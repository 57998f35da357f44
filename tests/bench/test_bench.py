"""The benchmark itself: that it runs, and tells what it found. How fast is not tested."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from answers import check
from chart import chart
from table import BARE, LIBRARY, PEERS, PROGRAM, PROMISED, Found, Taken, promises, table

FOUND: Found = {
    LIBRARY: [
        Taken(seconds=2.0, processor=0.256, memory=60, warm_seconds=0.25, warm_processor=0.064),
        Taken(seconds=4.0, processor=0.256, memory=62, warm_seconds=0.25, warm_processor=0.064),
        Taken(seconds=1.0, processor=0.256, memory=61, warm_seconds=0.25, warm_processor=0.064),
    ],
    BARE: [
        Taken(seconds=1.0, processor=0.128, memory=50, warm_seconds=0.25, warm_processor=0.064),
        Taken(seconds=4.0, processor=0.128, memory=50, warm_seconds=0.25, warm_processor=0.064),
        Taken(seconds=2.0, processor=0.128, memory=50, warm_seconds=0.25, warm_processor=0.064),
    ],
    PROGRAM: [Taken(seconds=3.0, processor=1.0, memory=60)],
    PEERS[0]: [Taken(seconds=12.0, processor=10.0, memory=25)],
}


def test_the_benchmark_runs(program: Callable[[str], str], tmp_path: Path) -> None:
    """Two machines answer; the table and the chart have each contender that was asked for."""
    program("sshd")
    svg = tmp_path / "chart.svg"
    script = Path(__file__).with_name("fanout.py")
    options = ["--nodes", "2", "--rounds", "1", "--open", "0", "--chart", str(svg)]
    done = subprocess.run(
        [sys.executable, script, *options, "--only", f"{LIBRARY},{BARE},{PROGRAM}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for name in (LIBRARY, BARE, PROGRAM):
        assert f"| {name} |" in done.stdout
        assert f">{name}</text>" in svg.read_text()


def test_the_table_compares_medians_and_rounds() -> None:
    """Rates are of median times; how many times as long is the median over pairs of one round."""
    rows = [line for line in table(PROMISED, FOUND).splitlines() if "asyncssh" in line]
    assert rows == ["| bare asyncssh | 64 | 1.00 | 1.00 x | 512 | 0.50 | 1.00 x | 50 |"]


def test_promises_are_shown_beside_what_was_found() -> None:
    """Only those that were measured are spoken of."""
    text = promises(FOUND)
    assert "library, new connections: 1.00 of the bare gather's time (<= 1.10)" in text
    assert "2.00 ms of CPU a node (<= 4.0), 2.00 of the bare gather's (<= 1.2)" in text
    assert "tinycloud execute: 0.25 of the time of clush (<= 0.35)" in text
    assert "pdsh" not in text


def test_the_chart_is_a_picture() -> None:
    """It is well-formed, and its longest bar is that of the fastest."""
    bars = [e for e in ElementTree.fromstring(chart({128: FOUND})).iter() if "rect" in e.tag]
    widths = [float(bar.attrib["width"]) for bar in bars]
    assert max(widths) == widths[0]
    assert len(bars) == 6


@pytest.mark.parametrize("text", ["", "answer 127.0.0.1 5 127.1.0.1 22\n" * 2])
def test_a_machine_that_did_not_answer_once_is_noticed(text: str) -> None:
    """No answer fails, and neither do two of one machine make up for another's."""
    with pytest.raises(AssertionError):
        check(text, ["127.1.0.1", "127.1.0.2"])


def test_all_answers_are_found_in_whatever_a_program_prints() -> None:
    """Labels do not matter, nor does the order."""
    text = "b: answer 127.0.0.1 5 127.1.0.2 22\na | rc=0 >>\nanswer 127.0.0.1 6 127.1.0.1 22\n"
    check(text, ["127.1.0.1", "127.1.0.2"])
