"""The first tenth of a second: what is loaded, and what happens where nothing is done yet."""

import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from tinycloud.store.keys import make_login_key

from .running import PROGRAM, Cli, Outcome, run, snapshot

# Sends Ctrl-C the moment that a module is asked for.
INTERRUPTING = """
import os, signal, sys
class Finder:
    def find_spec(self, name, path, target=None):
        if name == os.environ.get("INTERRUPT_AT"):
            del os.environ["INTERRUPT_AT"]
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder())
"""


def python(*words: str) -> Outcome:
    """Run Python."""
    done = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, check=False, cwd="/"
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def test_the_command_line_loads_neither_ssh_nor_aws() -> None:
    """What takes long to load is loaded by those commands that need it."""
    code = "import sys, tinycloud.cli, tinycloud.cli.app; print(*sys.modules)"
    loaded = {module.split(".")[0] for module in python("-c", code).out.split()}
    assert "tinycloud" in loaded
    assert loaded & {"asyncssh", "aiobotocore", "botocore", "cryptography"} == set()


def test_help_loads_no_rich() -> None:
    """Help is plain text, and quick."""
    code = "import sys; from tinycloud.cli import main; main(['--help']); print(*sys.modules)"
    outcome = python("-c", code)
    assert "Usage: tinycloud " in outcome.out
    assert "rich.console" not in outcome.out.split()


def test_the_module_is_the_program() -> None:
    """`python -m tinycloud` is `tinycloud`, in words, answers and exit codes."""
    for words in (("launch", "--help"), ("list", "lion")):
        assert python("-m", "tinycloud", *words) == run(*words)


def test_the_version_is_that_of_the_package(cli: Cli) -> None:
    """--version answers with the version that is installed."""
    assert cli("--version").out == f"tinycloud {version('tinycloud')}\n"


def test_no_command_is_a_question_for_help(cli: Cli, state: Path) -> None:
    """Without a command there is help, as with --help, and no error."""
    outcome = cli()
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == cli("--help").out == cli("-h").out
    assert not state.exists()


@pytest.mark.parametrize("word", ["bogus", "--bogus", "-x", "", "list --bogus", "list a b c d"])
def test_words_that_are_none(cli: Cli, state: Path, word: str) -> None:
    """A usage error is an error like others, and leads to the right help."""
    outcome = cli(*(word.split() or [""]))
    command = "tinycloud list" if word.startswith("list") else "tinycloud"
    assert outcome.refused() == f"{command} --help"
    assert outcome.lines[0].startswith("error: can't read the command line (")
    assert not state.exists()


@pytest.mark.parametrize("words", [("execute", "voltron"), ("execute",), ("status",), ("run",)])
def test_words_that_are_missing(cli: Cli, words: tuple[str, ...]) -> None:
    """What a command can't do without is asked for."""
    outcome = cli(*words)
    assert outcome.refused() == f"tinycloud {words[0]} --help"
    assert "(Missing " in outcome.lines[0]


def test_a_launch_without_a_name(cli: Cli, state: Path) -> None:
    """A cluster needs a name; only its plan does not."""
    assert cli("launch").refused() == "tinycloud launch NAME"
    assert not state.exists()


@pytest.fixture
def example(cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A cluster that has the name of an example."""
    monkeypatch.setenv("TINYCLOUD_STATE_DIR", str(tmp_path / "example"))
    assert cli("launch", "example", "-n", "0").code == 0
    yield tmp_path / "example"
    assert cli("destroy", "example").code == 0


def test_a_plan_needs_no_name(cli: Cli, tmp_path: Path, state: Path) -> None:
    """`launch -d` shows what would be, exits with 0, and touches nothing."""
    before = snapshot(tmp_path)
    outcome = cli("launch", "-d")
    assert outcome.code == 0
    assert outcome.out.splitlines()[1].split() == ["GROUP", "CREATE", "START", "KEEP", "BEYOND"]
    assert outcome.out.splitlines()[2].split() == ["master", "master-0", "-", "-", "-"]
    assert outcome.lines == ["driver: local (the default: neither --driver nor -k was given)"]
    assert "worker-[0-4]" in cli("launch", "--dry", "-n", "5").out
    assert (snapshot(tmp_path), state.exists()) == (before, False)


def test_a_plan_without_a_name_is_of_no_cluster(cli: Cli, example: Path) -> None:
    """However a user's clusters are called, the example is none of them."""
    before = snapshot(example)
    assert cli("launch", "-d").out.splitlines()[2].split() == ["master", "master-0", "-", "-", "-"]
    named = cli("launch", "example", "-d").out.splitlines()[2]
    assert named.split() == ["master", "-", "-", "master-0", "-"]
    assert snapshot(example) == before


def test_the_original_command_lines_are_understood(
    cli: Cli, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What people have typed since the beginning is read as it was meant."""
    monkeypatch.chdir(tmp_path)
    make_login_key(tmp_path, "me")
    (tmp_path / "key").rename("mykey.pem")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    asked = cli("launch", "voltron", "-k", "mykey", "-n", "5", "-d")
    assert asked.code == 2
    assert asked.lines[0] == "driver: aws (since -k names an EC2 key pair)"
    assert asked.lines[-2].startswith("error: it is not said in which region of AWS")
    assert asked.lines[-1].startswith("fix: ")
    for words in (
        "list voltron",
        "login voltron worker 4 -i mykey.pem",
        "execute voltron worker 4 -i mykey.pem -e uptime",
        "destroy voltron",
    ):
        assert cli(*words.split()).refused(3)
    full = "launch voltron -d -n 5 -k mykey -t m1.large -m ami-1 -s 20 -p 80 -p 443 --region us-1"
    assert "can't read the command line" not in cli(*full.split()).err
    assert not state.exists()


@pytest.mark.parametrize("at", ["tinycloud.cli", "typer", "tinycloud.cli.app", "tinycloud.drivers"])
def test_ctrl_c_while_it_loads_is_no_traceback(tmp_path: Path, at: str) -> None:
    """Who changes their mind at once is not shown the inside of Python."""
    (tmp_path / "sitecustomize.py").write_text(INTERRUPTING)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    outcome = run("list", PYTHONPATH=path, INTERRUPT_AT=at)
    assert (outcome.code, outcome.out) == (130, "")
    assert "Traceback" not in outcome.err
    assert len(outcome.lines) <= 1


def test_the_program_is_what_the_package_declares(request: pytest.FixtureRequest) -> None:
    """There is one program, and it is the module's."""
    with (request.config.rootpath / "pyproject.toml").open("rb") as file:
        scripts = tomllib.load(file)["project"]["scripts"]
    assert scripts == {"tinycloud": "tinycloud.__main__:main"}
    assert Path(PROGRAM).exists()
