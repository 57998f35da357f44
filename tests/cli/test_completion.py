"""Shell completion: what is offered when TAB is pressed."""

import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tinycloud.store import ClusterFolder, GroupRecord, Record

from .running import PROGRAM, run

Offer = Callable[[str], list[str]]


@pytest.fixture
def known(state: Path) -> Path:
    """Three clusters that are known here; one of them has other groups, one is damaged."""
    for name, tags in (("voltron", ("master", "worker")), ("vega", ("web", "db")), ("lion", ())):
        groups = tuple(GroupRecord(tag=tag, count=1, driver="local") for tag in tags)
        folder = ClusterFolder(name)
        with folder.locked():
            folder.write_record(Record(name=name, generation="", created_at="", groups=groups))
    (state / "clusters" / "lion" / "record.json").write_text("{")
    return state


def offered(line: str) -> list[str]:
    """Return what bash is offered for the last word of a line, as its completion asks for it."""
    words = line.split(" ")
    outcome = run(
        _TINYCLOUD_COMPLETE="complete_bash",
        COMP_WORDS=line,
        COMP_CWORD=str(len(words) - 1),
    )
    assert (outcome.code, outcome.err) == (0, "")
    return outcome.out.split()


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("tinycloud list v", ["vega", "voltron"]),
        ("tinycloud destroy ", ["lion", "vega", "voltron"]),
        ("tinycloud login voltron ", ["master", "worker"]),
        ("tinycloud execute vega w", ["web"]),
        ("tinycloud status lion ", []),
        ("tinycloud list none ", []),
        ("tinycloud list ../x ", []),
        ("tinycloud des", ["destroy"]),
    ],
)
def test_names_are_completed(line: str, expected: list[str]) -> None:
    """Clusters, groups and commands are offered; where there is nothing to offer, no error is."""
    assert offered(line) == expected


def test_nothing_is_offered_of_a_folder_that_is_not_trusted(known: Path) -> None:
    """Where the state folder can't be used, completion is silent, and touches nothing."""
    known.chmod(0o777)
    assert offered("tinycloud list v") == []
    assert known.stat().st_mode & 0o777 == 0o777


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_are_offered_the_same(shell: str) -> None:
    """Each shell asks in its own way, and gets the names."""
    outcome = run(
        _TINYCLOUD_COMPLETE=f"complete_{shell}",
        _TYPER_COMPLETE_ARGS="tinycloud list v",
        _TYPER_COMPLETE_FISH_ACTION="get-args",
    )
    assert outcome.code == 0
    assert ("voltron" in outcome.out, "vega" in outcome.out) == (True, True)


@pytest.mark.usefixtures("known")
def test_bash_itself_completes(tmp_path: Path, program: Callable[[str], str]) -> None:
    """The script that the program gives for bash works in bash."""
    script = run(_TINYCLOUD_COMPLETE="source_bash")
    assert script.code == 0
    (tmp_path / "completion.sh").write_text(script.out)
    lines = [
        f"PATH={shlex.quote(str(Path(PROGRAM).parent))}:$PATH",
        f". {shlex.quote(str(tmp_path / 'completion.sh'))}",
        "COMP_WORDS=(tinycloud list v) COMP_CWORD=2",
        "_tinycloud_completion tinycloud",
        'echo "${COMPREPLY[@]}"',
    ]
    done = subprocess.run(
        [program("bash"), "-c", "\n".join(lines)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["vega", "voltron"]
