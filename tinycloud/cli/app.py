"""The commands: each reads its words, calls one verb of `Cloud`, and shows the answer."""

import uuid
from pathlib import Path
from typing import Annotated

import typer

from ..cloud import Cloud
from ..errors import InvalidInput, NoSuchCluster, TinycloudError
from ..fanout import to_the_end
from ..node import Node
from ..store import ClusterFolder, Record, known_clusters
from . import complete, exits, interrupt, json_text, launching, table
from .clusters import known
from .executing import Request, command_text
from .executing import execute as execute_on
from .nodeset import indices
from .progress import Watch
from .say import answer, note, tinycloud_error

app = typer.Typer(
    name="tinycloud",
    help="Launch a small compute cluster, look at it, log in, run commands on it, destroy it.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)

Name = Annotated[
    str, typer.Argument(help="The cluster.", autocompletion=complete.clusters, show_default=False)
]
MaybeName = Annotated[
    str | None,
    typer.Argument(help="The cluster.", autocompletion=complete.clusters, show_default=False),
]
Tag = Annotated[
    str | None,
    typer.Argument(help="Only this group.", autocompletion=complete.tags, show_default=False),
]
Index = Annotated[
    str | None, typer.Argument(help="Only these nodes: 4, 0-3, or 0-3,7.", show_default=False)
]
KeyFile = Annotated[
    Path | None,
    typer.Option("-i", help="Private key to use instead of the cluster's own.", metavar="KEYFILE"),
]
Command = Annotated[
    str,
    typer.Option("-e", help="Shell command, or a file that holds one.", metavar="COMMAND|FILE"),
]
Workers = Annotated[
    int | None,
    typer.Option("-n", min=0, help="Workers beside the master. [default: 1, or as launched]"),
]
DriverName = Annotated[
    str | None, typer.Option("--driver", help="Where machines come from. [default: local]")
]
AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]


@app.callback()
def main(
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only answers and errors.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Log what happens to stderr.")] = False,
) -> None:
    """Options that every command takes; `cli.main` has acted on them already."""


@app.command()
def launch(
    name: MaybeName = None,
    workers: Workers = None,
    driver: DriverName = None,
    key: Annotated[str | None, typer.Option("-k", help="EC2 key pair; means aws.")] = None,
    type_: Annotated[str | None, typer.Option("-t", "--type", help="Instance type.")] = None,
    image: Annotated[str | None, typer.Option("-m", "--image", help="Image of the disk.")] = None,
    size: Annotated[int | None, typer.Option("-s", "--size", help="Disk in GiB.", min=1)] = None,
    port: Annotated[
        list[int] | None, typer.Option("-p", "--port", help="Port to open.", min=1, max=65535)
    ] = None,
    region: Annotated[str | None, typer.Option("--region", help="Region of the provider.")] = None,
    authorize: Annotated[
        list[Path] | None,
        typer.Option(
            "--authorize", help="Public key that nodes accept too.", metavar="KEYFILE.pub"
        ),
    ] = None,
    setup: Annotated[
        Path | None, typer.Option("--setup", help="Shell script to run once on each node.")
    ] = None,
    dry: Annotated[bool, typer.Option("-d", "--dry", help="Show the plan, touch nothing.")] = False,
    minimum: Annotated[
        int | None, typer.Option("--min", min=0, help="Accept so few workers.", metavar="N")
    ] = None,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Do not wait for SSH.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a cluster whole: run it again after anything."""
    if name is None and not dry:
        raise InvalidInput("a cluster needs a name", fix="tinycloud launch NAME")
    given = {
        "key": key,
        "type": type_,
        "image": image,
        "size": size,
        "ports": tuple(port) if port else None,
        "region": region,
    }
    cloud = launching.ordered(
        launching.Order(
            name=launching.EXAMPLE if name is None else name,
            workers=workers,
            driver=driver,
            options={option: value for option, value in given.items() if value is not None},
            authorize=launching.public_keys(authorize or []),
            setup=launching.setup_script(setup),
        )
    )
    if dry:
        found = interrupt.run(launching.changes(cloud))
        launching.show_plan(cloud, found, as_json=as_json)
        return
    nodes = launching.launch(cloud, wait=not no_wait, minimum=minimum)
    launching.say_surplus(cloud, nodes)
    _show_nodes(nodes, as_json=as_json)


@app.command("list")
def list_(name: MaybeName = None, tag: Tag = None, as_json: AsJson = False) -> None:
    """Show the nodes of a cluster, or every cluster known here."""
    if name is None:
        _list_clusters(as_json=as_json)
        return
    cloud = known(name)
    nodes = interrupt.run(cloud.list(tag))
    _check_known(cloud, nodes)
    _show_nodes(nodes, as_json=as_json)


def _list_clusters(*, as_json: bool) -> None:
    records: list[Record] = []
    problem: TinycloudError | None = None
    for name in known_clusters():
        try:
            record = ClusterFolder(name).record()
        except TinycloudError as error:  # the others can still be shown
            tinycloud_error(error)
            problem = error
            continue
        if record is not None:
            records.append(record)
    if as_json:
        answer(json_text.dump([json_text.of_record(record) for record in records]))
    elif records:
        table.clusters(records)
    else:
        note("no clusters")
    if problem is not None:
        raise typer.Exit(exits.of_error(problem))


@app.command()
def status(name: Name, tag: Tag = None, as_json: AsJson = False) -> None:
    """Show the status of each node."""
    cloud = known(name)
    found = interrupt.run(cloud.status(tag))
    _check_known(cloud, found)
    if as_json:
        answer(json_text.dump(found))
    else:
        table.show(("NODE", "STATUS"), [(node, str(state)) for node, state in found.items()])


@app.command()
def login(name: Name, tag: Tag = None, index: Index = None, keyfile: KeyFile = None) -> None:
    """Log in to a node: the first one, unless told otherwise."""
    chosen = indices("0" if index is None else index)
    if len(chosen) != 1:
        raise InvalidInput("can log in to one node at a time", fix="give a single INDEX")
    code = interrupt.run(known(name).login(tag=tag, index=chosen[0], keyfile=keyfile))
    raise typer.Exit(code)


@app.command()
def execute(
    name: Name,
    command: Command,
    tag: Tag = None,
    index: Index = None,
    keyfile: KeyFile = None,
    timeout: Annotated[
        float | None, typer.Option("--timeout", min=0.0, help="Seconds per node.", metavar="S")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Nodes at work at once.", metavar="N")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run a command on all nodes at once, or on some."""
    request = Request(
        command=command_text(command),
        tag=tag,
        index=None if index is None else indices(index),
        keyfile=keyfile,
        timeout=timeout,
        limit=limit,
        as_json=as_json,
    )
    raise typer.Exit(interrupt.run(execute_on(known(name), request), first=_say_ending))


def _say_ending() -> None:
    note("interrupted: ending the command on all nodes (once more leaves at once)")


@app.command()
def start(name: Name) -> None:
    """Start the nodes that are stopped, and make those that are missing."""
    nodes = launching.launch(known(name), starting=True)
    note(f"{len(nodes)} nodes of '{name}' are up")


@app.command()
def stop(name: Name) -> None:
    """Stop all nodes; they keep their disks and identities."""
    nodes = interrupt.run(known(name).stop())
    note(f"{len(nodes)} nodes of '{name}' are stopped")


@app.command()
def destroy(name: Name) -> None:
    """Destroy all nodes, and everything that was made for them."""
    cloud = known(name)
    if not ClusterFolder(name).exists():
        _check_known(cloud, interrupt.run(cloud.list()))
    results = interrupt.run(cloud.destroy())
    note(f"{len(results)} nodes of '{name}' are destroyed")


@app.command()
def run(
    command: Command, workers: Workers = None, driver: DriverName = None, as_json: AsJson = False
) -> None:
    """Launch a cluster for one command, run it on all nodes, destroy the cluster."""
    request = Request(command=command_text(command), as_json=as_json)
    order = launching.Order(name=f"run-{uuid.uuid4().hex[:8]}", workers=workers, driver=driver)
    cloud = launching.ordered(order)
    watch = Watch(sum(group.count for group in cloud.groups))

    async def work() -> int:
        async with cloud:
            with watch:
                await cloud.launch(report=watch.report)
            try:
                return await execute_on(cloud, request)
            finally:
                results = await to_the_end(cloud.destroy())
                note(f"{len(results)} nodes of '{cloud.name}' are destroyed")

    code = interrupt.run(
        work(),
        first=lambda: note("interrupted: destroying the cluster (once more leaves at once)"),
        second=lambda: launching.leave(cloud.name, watch),
    )
    raise typer.Exit(code)


def _show_nodes(nodes: tuple[Node, ...], *, as_json: bool) -> None:
    if as_json:
        answer(json_text.dump(json_text.of_nodes(nodes)))
    else:
        table.nodes(nodes)


def _check_known(cloud: Cloud, found: object) -> None:
    """Raise `NoSuchCluster` if nothing was found of a cluster that has no record either."""
    if not found and ClusterFolder(cloud.name).record() is None:
        raise NoSuchCluster(
            f"no cluster '{cloud.name}'", fix="'tinycloud list' shows those that are known here"
        )
