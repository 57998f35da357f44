"""The folder of each cluster on this machine: record, login key, pinned host keys, lock."""

from .cluster import ClusterFolder, known_clusters
from .keys import LoginKey
from .record import GroupRecord, Record

__all__ = ["ClusterFolder", "GroupRecord", "LoginKey", "Record", "known_clusters"]
