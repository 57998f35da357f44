"""The orchestrator: it decides with plain functions, then does the I/O."""

from .cloud import Cloud
from .step import Stage, Step

__all__ = ["Cloud", "Stage", "Step"]
