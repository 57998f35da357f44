"""The words and options that commands take."""

from pathlib import Path
from typing import Annotated

import typer

from . import complete

_CLUSTER = typer.Argument(
    help="The cluster.", metavar="NAME", autocompletion=complete.clusters, show_default=False
)
Name = Annotated[str, _CLUSTER]
MaybeName = Annotated[str | None, _CLUSTER]
Tag = Annotated[
    str | None,
    typer.Argument(
        help="Only this group: master or worker.",
        metavar="TAG",
        autocompletion=complete.tags,
        show_default=False,
    ),
]
Index = Annotated[
    str | None,
    typer.Argument(help="Only these nodes: 4, 0-3, or 0-3,7.", metavar="INDEX", show_default=False),
]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        "-i",
        help="Private key to use instead of the cluster's own.",
        metavar="KEYFILE",
        readable=False,  # what it can't be read for is for us to say
    ),
]
Command = Annotated[
    str,
    typer.Option("-e", help="Shell command, or a script that is here.", metavar="COMMAND|FILE"),
]
Sudo = Annotated[bool, typer.Option("--sudo", help="Have root run it, by way of sudo.")]
Stdin = Annotated[bool, typer.Option("--stdin", help="Have all nodes read what we read.")]
Serial = Annotated[
    str | None,
    typer.Option("--serial", help="Sizes of batches: 1,10%,100%.", metavar="N|N%,..."),
]
MaxFail = Annotated[
    str | None,
    typer.Option("--max-fail", help="Begin no more when more than so many failed.", metavar="N|N%"),
]
FailFast = Annotated[
    bool, typer.Option("--fail-fast", help="End the command everywhere when it fails somewhere.")
]
Timeout = Annotated[
    float | None,
    typer.Option("--timeout", help="Seconds for each node.", metavar="S"),
]
Limit = Annotated[
    int | None, typer.Option("--limit", min=1, help="Nodes at work at once.", metavar="N")
]
RetryFailed = Annotated[
    bool, typer.Option("--retry-failed", help="Only the nodes that failed last.")
]
Exclude = Annotated[
    str | None,
    typer.Option("-x", "--exclude", help="Not on these: worker-[3,7].", metavar="NODES"),
]
Pick = Annotated[
    int | None, typer.Option("--pick", min=1, help="On so many, chosen at random.", metavar="N")
]
Gather = Annotated[
    bool | None,
    typer.Option(
        "--gather/--no-gather",
        help="Only what nodes printed alike, in blocks; or never that.",
        show_default=False,
    ),
]
Diff = Annotated[bool, typer.Option("--diff", help="Show how nodes differ from most of them.")]
OutputDir = Annotated[
    Path | None,
    typer.Option(
        "--output-dir",
        help="Write NODE.out and NODE.err into this folder.",
        metavar="DIR",
        readable=False,
    ),
]
Events = Annotated[
    bool, typer.Option("--events", help="Print each thing that happens as JSON, as it does.")
]
Workers = Annotated[
    int | None,
    typer.Option(
        "-n",
        help="Workers beside the master; by default as many as there were, or 1.",
        metavar="WORKERS",
    ),
]
DriverName = Annotated[
    str | None,
    typer.Option("--driver", help="Where machines come from; by default local.", metavar="DRIVER"),
]
Key = Annotated[str | None, typer.Option("-k", help="EC2 key pair; means aws.", metavar="KEY")]
Image = Annotated[
    str | None, typer.Option("-m", "--image", help="Image of the disk.", metavar="IMAGE")
]
Size = Annotated[
    int | None, typer.Option("-s", "--size", help="Size of the disk.", metavar="GIB", min=1)
]
Ports = Annotated[
    list[int] | None,
    typer.Option(
        "-p", "--port", help="Port to open; may be repeated.", metavar="PORT", min=1, max=65535
    ),
]
Region = Annotated[
    str | None, typer.Option("--region", help="Region of the provider.", metavar="REGION")
]
Allow = Annotated[
    list[str] | None,
    typer.Option(
        "--allow",
        help="Network that may connect too, as in 10.0.0.0/8; may be repeated.",
        metavar="CIDR",
    ),
]
OfDriver = Annotated[
    str | None,
    typer.Option("--driver", help="Driver of a cluster that is not known here.", metavar="DRIVER"),
]
InRegion = Annotated[
    str | None,
    typer.Option("--region", help="Region of a cluster that is not known here.", metavar="REGION"),
]
Authorize = Annotated[
    list[Path] | None,
    typer.Option(
        "--authorize",
        help="Public key that nodes accept too.",
        metavar="KEYFILE.pub",
        readable=False,
    ),
]
Setup = Annotated[
    Path | None,
    typer.Option(
        "--setup", help="Shell script to run once on each node.", metavar="FILE", readable=False
    ),
]
Dry = Annotated[bool, typer.Option("-d", "--dry", help="Show the plan, touch nothing.")]
Minimum = Annotated[
    int | None, typer.Option("--min", min=0, help="Accept so few workers.", metavar="N")
]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Do not wait for SSH.")]
AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Only answers and errors.")]
Debug = Annotated[bool, typer.Option("--debug", help="Log what happens to stderr.")]
