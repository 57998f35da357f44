"""The commands: each reads its words, calls one verb of `Cloud`, and shows the answer."""

import uuid
from importlib.metadata import version
from typing import Annotated

import typer

from ..errors import InvalidInput, TinycloudError
from ..fanout import to_the_end
from ..node import Node
from ..nodeset import indices
from ..store import ClusterFolder, Record, known_clusters
from . import (
    exits,
    exporting,
    forwarding,
    hosts,
    interrupt,
    json_text,
    launching,
    lifetime,
    machines,
    options,
    planning,
    ports,
    reaping,
    table,
    transferring,
)
from .clusters import Whereabouts, check_known, known
from .executing import execute as execute_on
from .options import (
    AsJson,
    Authorize,
    Command,
    Debug,
    Diff,
    DriverName,
    Dry,
    Events,
    Exclude,
    FailFast,
    Gather,
    Image,
    Index,
    InRegion,
    Key,
    KeyFile,
    Limit,
    MaxFail,
    MaybeName,
    Minimum,
    Name,
    NoWait,
    OfDriver,
    OutputDir,
    Pick,
    Ports,
    Quiet,
    Region,
    RetryFailed,
    Serial,
    Setup,
    Size,
    Stdin,
    Sudo,
    Tag,
    Timeout,
    Workers,
)
from .order import Order, ordered, public_keys, setup_script
from .progress import Watch
from .request import Request, asked, command_given
from .say import answer, are, error, note, tinycloud_error
from .shown import Wish

app = typer.Typer(
    name="tinycloud",
    help="Launch a small compute cluster, look at it, log in, run commands on it, destroy it.",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(*, wanted: bool) -> None:
    if wanted:
        answer(f"tinycloud {version('tinycloud')}")
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option(
        "--version",
        help="Show the version.",
        is_eager=True,
        callback=lambda wanted: _print_version(wanted=wanted),
    ),
]


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context, quiet: Quiet = False, debug: Debug = False, version: Version = False
) -> None:
    """Answer with help if there is no command; `cli.main` has acted on the manners already."""
    if context.invoked_subcommand is None:
        answer(context.get_help())


@app.command()
def launch(
    name: MaybeName = None,
    workers: Workers = None,
    driver: DriverName = None,
    key: Key = None,
    type_: machines.Type = None,
    image: Image = None,
    size: Size = None,
    port: Ports = None,
    allow: options.Allow = None,
    region: Region = None,
    profile: machines.Profile = None,
    subnet: machines.Subnet = None,
    zone: machines.Zone = None,
    spot: machines.Spot = False,
    fallback: machines.Fallback = False,
    iam_profile: machines.IamProfile = None,
    tag: machines.Tags = None,
    host: hosts.HostSets = None,
    user: hosts.User = None,
    known_hosts: hosts.KnownHosts = None,
    accept_new: hosts.AcceptNew = False,
    via: hosts.Via = None,
    keyfile: KeyFile = None,
    authorize: Authorize = None,
    setup: Setup = None,
    ttl: lifetime.Ttl = None,
    dry: Dry = False,
    minimum: Minimum = None,
    no_wait: NoWait = False,
    as_json: AsJson = False,
) -> None:
    """Make a cluster whole, also one that exists."""
    if name is None and not dry:
        raise InvalidInput("a cluster needs a name", fix="tinycloud launch NAME")
    wishes = machines.Wishes(
        key=key,
        type=type_,
        image=image,
        size=size,
        ports=port,
        allow=allow,
        region=region,
        profile=profile,
        subnet=subnet,
        zone=zone,
        spot=spot,
        fallback=fallback,
        iam_profile=iam_profile,
        tags=tag,
    )
    of_hosts = hosts.options(host, user, known_hosts)
    cloud = ordered(
        Order(
            name=name,
            workers=workers,
            driver=driver,
            options=wishes.options() | {o: v for o, v in of_hosts.items() if v is not None},
            authorize=public_keys(authorize or []),
            setup=setup_script(setup),
            via=via,
            keyfile=keyfile,
            ttl=ttl,
        )
    )
    if dry:
        found = interrupt.run(planning.plan(cloud, exists=name is not None))
        planning.show(cloud, found, as_json=as_json)
        return
    lifetime.say_end(cloud)
    nodes = launching.launch(cloud, wait=not no_wait, minimum=minimum, accept_new=accept_new)
    launching.say_surplus(cloud, nodes)
    _show_nodes(nodes, as_json=as_json)


@app.command("list")
def list_(
    name: MaybeName = None,
    tag: Tag = None,
    driver: OfDriver = None,
    region: InRegion = None,
    as_json: AsJson = False,
) -> None:
    """Show a cluster's nodes, or all clusters known here."""
    at = Whereabouts(driver=driver, region=region)
    if name is None:
        if at != Whereabouts():
            raise InvalidInput("it takes a name to look for a cluster", fix="tinycloud list NAME")
        _list_clusters(as_json=as_json)
        return
    cloud = known(name, tag, at=at)

    async def look() -> tuple[Node, ...]:
        check_known(name, await cloud.list())
        return await cloud.list(tag)

    _show_nodes(interrupt.run(look()), as_json=as_json)


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
    elif problem is None:
        note("no clusters")
    if problem is not None:
        raise typer.Exit(exits.of_error(problem))


@app.command()
def status(
    name: Name,
    tag: Tag = None,
    driver: OfDriver = None,
    region: InRegion = None,
    as_json: AsJson = False,
) -> None:
    """Show the status of each node."""
    cloud = known(name, tag, at=Whereabouts(driver=driver, region=region))

    async def look() -> dict[str, str]:
        check_known(name, await cloud.list())
        return {node: str(state) for node, state in (await cloud.status(tag)).items()}

    found = interrupt.run(look())
    if as_json:
        answer(json_text.dump(found))
    elif found:
        table.show(("NODE", "STATUS"), list(found.items()))
    else:
        note("no nodes")


@app.command()
def login(
    name: Name,
    tag: Tag = None,
    index: Index = None,
    keyfile: KeyFile = None,
    driver: OfDriver = None,
    region: InRegion = None,
) -> None:
    """Log in to a node: the first, unless told otherwise."""
    chosen = indices("0" if index is None else index)
    if len(chosen) != 1:
        raise InvalidInput("can log in to one node at a time", fix="give a single INDEX")
    cloud = known(name, tag, to_connect=True, at=Whereabouts(driver=driver, region=region))
    raise typer.Exit(interrupt.run(cloud.login(tag=tag, index=chosen[0], keyfile=keyfile)))


@app.command()
def forward(
    name: Name,
    words: ports.Words = None,
    socks: ports.Socks = None,
    bind: ports.Bind = None,
    keyfile: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Have ports here that lead to a node, or to where it can go."""
    request = ports.request(words or [], socks=socks, bind=bind, keyfile=keyfile, as_json=as_json)
    cloud = known(name, request.tag, to_connect=True)
    raise typer.Exit(forwarding.forward(cloud, request))


@app.command("ssh-config")
def ssh_config(name: Name, keyfile: KeyFile = None) -> None:
    """Print a configuration for ssh, and all that goes by it: scp, sftp, rsync."""
    exporting.ssh_config(known(name, to_connect=True), keyfile)


@app.command()
def inventory(name: Name, keyfile: KeyFile = None, as_json: AsJson = False) -> None:
    """Print an inventory for Ansible."""
    exporting.inventory(known(name, to_connect=True), keyfile, as_json=as_json)


@app.command()
def execute(
    name: Name,
    command: Command,
    tag: Tag = None,
    index: Index = None,
    keyfile: KeyFile = None,
    stdin: Stdin = False,
    sudo: Sudo = False,
    timeout: Timeout = None,
    limit: Limit = None,
    serial: Serial = None,
    max_fail: MaxFail = None,
    fail_fast: FailFast = False,
    driver: OfDriver = None,
    region: InRegion = None,
    retry_failed: RetryFailed = False,
    exclude: Exclude = None,
    pick: Pick = None,
    gather: Gather = None,
    diff: Diff = False,
    output_dir: OutputDir = None,
    as_json: AsJson = False,
    events: Events = False,
) -> None:
    """Run a command on all nodes at once, or on some."""
    request = Request(
        command=command_given(command),
        tag=tag,
        index=None if index is None else indices(index),
        keyfile=keyfile,
        stdin=stdin,
        sudo=sudo,
        timeout=timeout,
        limit=limit,
        serial=serial,
        max_fail=max_fail,
        fail_fast=fail_fast,
        retry_failed=retry_failed,
        exclude=exclude,
        pick=pick,
        wish=Wish(as_json=as_json, events=events, gather=gather, diff=diff, output_dir=output_dir),
    )
    cloud = known(name, tag, to_connect=True, at=Whereabouts(driver=driver, region=region))
    work = execute_on(cloud, request)
    raise typer.Exit(interrupt.run(work, ask=lambda: asked(request), first=_say_ending))


def _say_ending() -> None:
    note("interrupted: ending the command on all nodes (once more leaves at once)")


@app.command()
def put(
    name: Name,
    words: transferring.PutWords,
    keyfile: KeyFile = None,
    limit: Limit = None,
    as_json: AsJson = False,
) -> None:
    """Put files and folders on all nodes at once, or on some."""
    cloud = known(name, to_connect=True)
    request = transferring.request(
        words, cloud, transferring.PUT, keyfile=keyfile, limit=limit, as_json=as_json
    )
    work = transferring.put(cloud, request)
    raise typer.Exit(interrupt.run(work, first=transferring.say_ending))


@app.command()
def get(
    name: Name,
    words: transferring.GetWords,
    keyfile: KeyFile = None,
    limit: Limit = None,
    as_json: AsJson = False,
) -> None:
    """Get a file or a folder from all nodes at once, or from some."""
    cloud = known(name, to_connect=True)
    request = transferring.request(
        words, cloud, transferring.GET, keyfile=keyfile, limit=limit, as_json=as_json
    )
    work = transferring.get(cloud, request)
    raise typer.Exit(interrupt.run(work, first=transferring.say_ending))


@app.command()
def start(name: Name) -> None:
    """Start the nodes that are stopped, make the missing."""
    nodes = launching.start(known(name, to_connect=True))
    note(are(len(nodes), name, "up"))


@app.command()
def stop(name: Name) -> None:
    """Stop all nodes; they keep disk and identity."""
    cloud = known(name)
    nodes = interrupt.run(cloud.stop())
    note(are(len(nodes), name, hosts.word(cloud, "stopped")))


@app.command()
def allow(name: Name, allow: options.Allow = None, as_json: AsJson = False) -> None:
    """Let this machine connect to the nodes again, when its address has changed."""
    found = interrupt.run(known(name).allow(allow or ()))
    if as_json:
        answer(json_text.dump(list(found)))
    else:
        note(f"who may connect to '{name}': {', '.join(found)}")


@app.command()
def extend(name: Name, time: lifetime.NewTtl) -> None:
    """Have the nodes live longer."""
    ttl = lifetime.seconds(time)
    cloud = known(name, to_connect=True)
    results = interrupt.run(cloud.extend(ttl))
    raise typer.Exit(lifetime.say_extended(cloud, results, ttl))


@app.command()
def destroy(name: Name, driver: OfDriver = None, region: InRegion = None) -> None:
    """Destroy all nodes, and all that was made for them."""
    cloud = known(name, at=Whereabouts(driver=driver, region=region))
    existed = ClusterFolder(name).exists()
    results = interrupt.run(
        cloud.destroy(),  # also of one that is not known: what a killed one left goes
        second=lambda: error("left at once", "nodes may remain", f"tinycloud destroy {name}"),
    )
    if driver is None and not existed:
        check_known(name, results)
    note(are(len(results), name, hosts.word(cloud, "destroyed")))


@app.command()
def reap(
    driver: reaping.DriverName = reaping.DEFAULT,
    region: Region = None,
    all_regions: reaping.AllRegions = False,
    older_than: reaping.OlderThan = None,
    yes: reaping.Yes = False,
    as_json: AsJson = False,
) -> None:
    """Find clusters that no record here knows, and remove them if you say so."""
    where = reaping.drivers(driver, region, everywhere=all_regions)
    raise typer.Exit(reaping.reap(where, older_than, yes=yes, as_json=as_json))


@app.command()
def run(
    command: Command,
    workers: Workers = None,
    driver: DriverName = None,
    stdin: Stdin = False,
    sudo: Sudo = False,
    timeout: Timeout = None,
    limit: Limit = None,
    serial: Serial = None,
    max_fail: MaxFail = None,
    fail_fast: FailFast = False,
    as_json: AsJson = False,
) -> None:
    """Launch a cluster for one command, and destroy it."""
    request = Request(
        command=command_given(command),
        stdin=stdin,
        sudo=sudo,
        timeout=timeout,
        limit=limit,
        serial=serial,
        max_fail=max_fail,
        fail_fast=fail_fast,
        wish=Wish(as_json=as_json),
    )
    cloud = ordered(Order(name=f"run-{uuid.uuid4().hex[:8]}", workers=workers, driver=driver))
    watch = Watch(cloud)

    async def work() -> int:
        async with cloud:
            with watch:
                await cloud.launch(report=watch.report)
            try:
                return await execute_on(cloud, request)
            finally:
                results = await to_the_end(cloud.destroy())
                note(are(len(results), cloud.name, "destroyed"))

    code = interrupt.run(
        work(),
        ask=lambda: asked(request),
        first=lambda: note("interrupted: destroying the cluster (once more leaves at once)"),
        second=lambda: launching.leave(cloud.name, watch),
    )
    raise typer.Exit(code)


def _show_nodes(nodes: tuple[Node, ...], *, as_json: bool) -> None:
    if as_json:
        answer(json_text.dump(json_text.of_nodes(nodes)))
    elif nodes:
        table.nodes(nodes)
    else:
        note("no nodes")
