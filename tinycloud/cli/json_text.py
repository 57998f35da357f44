"""What `--json` prints; its keys are a contract."""

import base64
import json
from collections.abc import Iterable

from ..driver import Stray
from ..node import Node
from ..result import Result
from ..store import Record


def dump(content: object) -> str:
    """Return one line of JSON, in ASCII: safe on any terminal."""
    return json.dumps(content, separators=(",", ":"))


def of_node(node: Node) -> dict[str, object]:
    """Return what JSON holds of a node."""
    return {
        "name": node.name,
        "tag": node.tag,
        "index": node.index,
        "id": node.id,
        "address": node.address,
        "port": node.port,
        "username": node.username,
        "status": node.status,
        "private_address": node.private_address,
        "launched_at": node.launched_at.isoformat() if node.launched_at else None,
        **({"expires_at": node.expires_at.isoformat()} if node.expires_at else {}),
    }


def of_nodes(nodes: Iterable[Node]) -> list[dict[str, object]]:
    """Return what JSON holds of many nodes."""
    return [of_node(node) for node in nodes]


def of_stray(stray: Stray) -> dict[str, object]:
    """Return what JSON holds of a cluster that nobody remembers."""
    return {
        "cluster": stray.cluster,
        "generation": stray.generation,
        "where": stray.where,
        "resources": list(stray.resources),
        "created_at": stray.created_at.isoformat() if stray.created_at else None,
        "expires_at": stray.expires_at.isoformat() if stray.expires_at else None,
    }


def of_record(record: Record) -> dict[str, object]:
    """Return what JSON holds of a cluster that is known here."""
    groups = [{"tag": g.tag, "count": g.count, "driver": g.driver} for g in record.groups]
    return {"name": record.name, "created_at": record.created_at, "groups": groups}


def of_result(result: Result) -> dict[str, object]:
    """Return what JSON holds of a result; output that is not UTF-8 comes as Base64."""
    return {
        "node": result.node.name,
        "state": result.state,
        "exit_status": result.exit_status,
        **of_bytes("stdout", result.stdout),
        **of_bytes("stderr", result.stderr),
        "duration": round(result.duration, 6),
        "error": result.error,
        **({} if result.confirmed else {"confirmed": False}),
    }


def of_bytes(name: str, data: bytes) -> dict[str, object]:
    """Return what JSON holds of bytes under this name, or as Base64 under a longer one."""
    try:
        return {name: data.decode()}
    except UnicodeDecodeError:
        return {name: None, f"{name}_base64": base64.b64encode(data).decode()}
