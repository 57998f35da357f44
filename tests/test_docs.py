"""Whether the documentation is true: its examples run, and it knows every command and option."""

import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest
from console import Outcome, agrees, environment_with_tinycloud, left_in, play
from fences import PAGES, README, ROOT, Fence, code_words, commands, fences, links
from typer.main import get_command

import tinycloud
from tinycloud import Cloud
from tinycloud.cli.app import app

ALL = [fence for page in PAGES for fence in fences(page)]
PYTHON = [fence for fence in ALL if fence.language == "python"]
CONSOLE = [fence for fence in ALL if fence.language == "console"]
PROGRAMS = re.compile(r"(?<![\w-])(?:scp|ssh|sshd|ssh-keygen)(?![\w-])")
FILE = re.compile(r"[\w-]+\.\w+")
GUIDES = [page for page in PAGES if page.name not in ("README.md", "index.md")]

# The command's own type is of a library that typer carries within itself.
PROGRAM: Any = get_command(app)
COMMANDS: Mapping[str, Any] = PROGRAM.commands


def options(command: Any) -> set[str]:
    """Return every spelling of every option of a command."""
    given = {o for p in command.params for o in (*p.opts, *p.secondary_opts) if o.startswith("-")}
    return given | {"-h", "--help"}


EVERYWHERE = options(PROGRAM)


@pytest.fixture
def home(tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home to run an example in, after which nothing of its nodes may be left."""
    folder = tmp_path / "example"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    yield folder
    left = left_in(state) + left_in(folder)
    names = [" ".join(process.cmdline()) for process in left if process.is_running()]
    for process in left:
        process.kill()
    psutil.wait_procs(left)
    assert names == []
    assert not state.exists()
    assert not (folder / "state").exists()


def named(page: Path) -> dict[str, str]:
    """Return the files that a page names, and what they hold."""
    return {fence.note: fence.text for fence in fences(page) if FILE.fullmatch(fence.note)}


def find_programs(fence: Fence, program: Callable[[str], str]) -> None:
    """Skip the example, but not on CI, if it or what it imports needs a program that is missing."""
    others = (text for name, text in named(fence.page).items() if Path(name).stem in fence.text)
    for name in set(PROGRAMS.findall("\n".join([fence.text, *others]))):
        program(name)


def run_python(fence: Fence, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run a fence as a reader would: saved as a file, beside those that the page names."""
    for name, text in named(fence.page).items():
        (folder / name).write_text(text)
    file = folder / "example.py"
    file.write_text(fence.text)
    return subprocess.run(
        [sys.executable, file], cwd=folder, capture_output=True, text=True, timeout=100, check=False
    )


@pytest.mark.parametrize("fence", PYTHON, ids=str)
def test_each_python_example_runs_as_written(
    fence: Fence, home: Path, program: Callable[[str], str]
) -> None:
    """A Python fence is a whole program, prints what is shown after it, and leaves no node."""
    find_programs(fence, program)
    done = run_python(fence, home)
    assert (done.stderr, done.returncode) == ("", 0)
    following = dict(pairwise(fences(fence.page))).get(fence)
    if following is not None and following.note == "output":
        assert agrees(following.text.splitlines(), done.stdout), done.stdout


@pytest.mark.parametrize("fence", CONSOLE, ids=str)
def test_each_shell_session_goes_as_shown(
    fence: Fence, home: Path, program: Callable[[str], str]
) -> None:
    """Every command of a console fence exits with 0, and prints what is shown below it."""
    find_programs(fence, program)
    session = commands(fence)
    outcomes = play(session, folder=home, environment=environment_with_tinycloud())
    for command, outcome in zip(session, outcomes, strict=True):
        assert outcome.status == 0, f"{command.text}\n{outcome.text}"
        whole = not command.typed
        assert agrees(command.shown, outcome.text, whole=whole), f"{command.text}\n{outcome.text}"


def test_an_example_that_leaves_nodes_would_be_found(state: Path, home: Path) -> None:
    """The check after each example sees a node while there is one, and none once it is gone."""
    lines = ("$ tinycloud launch left -n 0 --no-wait", "$ tinycloud destroy left")
    launch, destroy = (
        commands(Fence(page=README, line=1, language="console", text=line))[0] for line in lines
    )
    environment = environment_with_tinycloud()
    assert play([launch], folder=home, environment=environment)[0].status == 0
    assert len(left_in(state)) == 1
    assert play([destroy], folder=home, environment=environment)[0].status == 0
    assert left_in(state) == []


def test_a_session_that_goes_otherwise_would_be_found(tmp_path: Path) -> None:
    """Exit status, missing lines and further lines are all noticed; the order of nodes is not."""
    text = "$ echo b; echo a\na\nb\n$ echo c; (exit 3)\n"
    session = commands(Fence(page=README, line=1, language="console", text=text))
    first, second = play(session, folder=tmp_path, environment=environment_with_tinycloud())
    assert (first, second) == (Outcome(0, "b\na\n"), Outcome(3, "c\n"))
    assert agrees(session[0].shown, first.text)
    assert not agrees(["a"], first.text)
    assert not agrees(["a", "b", "c"], first.text)
    assert agrees(["a", "..."], first.text)
    assert not agrees(["c", "..."], first.text)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_a_page_with_all_its_options(name: str) -> None:
    """A page that shows how the command is used explains each of its options."""
    usage = re.compile(rf"^tinycloud {name}\b", re.MULTILINE)
    pages = {f.page for f in ALL if f.language == "text" and usage.search(f.text)}
    explained = [{word.split()[0] for word in code_words(page)} for page in pages]
    assert any(options(COMMANDS[name]) - {"-h", "--help"} <= words for words in explained)


def test_the_options_of_all_commands_are_explained() -> None:
    """The first page of the documentation explains what every command takes."""
    assert set(code_words(ROOT / "docs" / "index.md")) >= EVERYWHERE


def invocations() -> Iterator[tuple[str, str, list[str]]]:
    """Yield every use of `tinycloud` in the documentation: where, which command, its words."""
    texts = [(str(f), line) for f in ALL if f.language != "python" for line in f.text.splitlines()]
    texts += [(page.name, word) for page in PAGES for word in code_words(page)]
    for where, text in texts:
        for match in re.finditer(r"(?:^|[;&|$] |/)tinycloud ([^$].*)", text):
            words = [word for word in shell_words(match[1]) if word not in EVERYWHERE]
            if words:
                yield f"{where}: {text}", words[0], words[1:]


def shell_words(text: str) -> list[str]:
    """Return the words of a command up to what the shell takes for itself."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars=";&<>")
    lexer.whitespace_split = True
    words = list(lexer)
    end = next((i for i, word in enumerate(words) if word[0] in ";&<>|"), len(words))
    return [part for word in words[:end] for part in word.strip("[]").split("/-")]


def test_the_documentation_names_no_option_that_does_not_exist() -> None:
    """Each `tinycloud COMMAND` in it is a command, and takes the options it is given there."""
    found = list(invocations())
    assert {name for _, name, _ in found} == set(COMMANDS)
    for where, name, words in found:
        given = {word for word in words if re.fullmatch("--?[a-z][a-z-]*", word)}
        assert given <= options(COMMANDS[name]), where


def test_options_by_themselves_are_options_of_some_command() -> None:
    """What a sentence calls `--so`, some command takes."""
    known = EVERYWHERE.union(*map(options, COMMANDS.values()))
    for page in PAGES:
        for word in code_words(page):
            if re.match("--?[a-z]", word):
                assert word.split()[0] in known, f"{page.name}: {word}"


def test_each_guide_has_one_usage_one_warning_and_an_example() -> None:
    """A page is a sentence, a usage, a complete example that is run, and one warning."""
    for page in GUIDES:
        languages = [fence.language for fence in fences(page)]
        assert languages[0] == "text", page.name
        assert {"python", "console"} & set(languages), page.name
        assert page.read_text().count("> [!WARNING]\n") == 1, page.name


def test_each_public_name_is_in_the_documentation() -> None:
    """What `tinycloud` offers for import, and every verb of `Cloud`, is named as code somewhere."""
    text = " ".join(f.text for f in PYTHON)
    words = {word for page in PAGES for code in code_words(page) for word in re.split(r"\W+", code)}
    words |= set(re.split(r"\W+", text))
    verbs = {name for name in vars(Cloud) if not name.startswith("_")}
    assert {*tinycloud.__all__, *verbs} - words == set()


def test_links_lead_somewhere() -> None:
    """Every link between pages leads to a file, and every page can be reached from the index."""
    for page in PAGES:
        for link in links(page):
            assert (page.parent / link.partition("#")[0]).exists(), f"{page.name}: {link}"
    assert {page.name for page in GUIDES} <= set(links(ROOT / "docs" / "index.md"))


def test_the_readme_begins_with_two_commands_of_one_line() -> None:
    """They can be copied and pasted: one that shows tinycloud at work, one that tests it."""
    first, second = fences(README)[:2]
    assert [fence.language for fence in (first, second)] == ["sh", "sh"]
    assert [len(fence.text.splitlines()) for fence in (first, second)] == [1, 1]
    assert " run " in first.text
    assert second.text.endswith("pytest\n")


def test_ci_runs_both_commands_of_the_readme() -> None:
    """What CI takes out of the README are its first two fences, to the letter."""
    script = (ROOT / ".ci" / "run").read_text()
    taken = [line for line in script.splitlines() if line.startswith(("trial=", "tests="))]
    done = subprocess.run(
        ["/bin/bash", "-c", "\n".join([*taken, 'printf "%s\\n" "$trial" "$tests"'])],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "".join(fence.text for fence in fences(README)[:2])
    assert script.count('bash -c "$trial"') == script.count('bash -c "$tests"') == 1
