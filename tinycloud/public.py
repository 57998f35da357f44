"""All that is public: what `import tinycloud` gives."""

from .cloud import Cloud, Stage, Step
from .driver import Driver, Group, NodeDriver, Reason, Stray
from .errors import (
    ClusterBusy,
    ClusterExists,
    CommandFailed,
    ConnectionLost,
    InvalidInput,
    LaunchFailed,
    MachineError,
    NoSuchCluster,
    ProviderError,
    ResourcesRemain,
    TinycloudError,
    Unreachable,
    Untrusted,
)
from .group import GroupSpec
from .node import Node, Status
from .pernode import PerNode
from .result import Output, Result, Results, State
from .ssh.stop import Stop

__all__ = [
    "Cloud",
    "ClusterBusy",
    "ClusterExists",
    "CommandFailed",
    "ConnectionLost",
    "Driver",
    "Group",
    "GroupSpec",
    "InvalidInput",
    "LaunchFailed",
    "MachineError",
    "NoSuchCluster",
    "Node",
    "NodeDriver",
    "Output",
    "PerNode",
    "ProviderError",
    "Reason",
    "ResourcesRemain",
    "Result",
    "Results",
    "Stage",
    "State",
    "Status",
    "Step",
    "Stop",
    "Stray",
    "TinycloudError",
    "Unreachable",
    "Untrusted",
]
