"""Fine-tuning jobs that are priced before, created once and billed in a ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ftjobs.client import Ftjobs

__all__ = ["Ftjobs", "__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Return `Ftjobs`, imported when it is asked for: the command line starts without it."""
    if name == "Ftjobs":
        from ftjobs.client import Ftjobs

        return Ftjobs
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
