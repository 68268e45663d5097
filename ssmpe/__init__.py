"""Sweeps of self-supervised multi-pitch estimation on Ray, tracked in MLflow.

In Python::

    network = ssmpe.load("SWEEP/ROW")            # or a checkpoint's folder; None: the best
    found = network.transcribe("song.wav")       # found.times in s, found.f0s in Hz
    salience = network.salience(audio, 44_100)   # (bins, frames)
    ssmpe.table("SWEEP")                         # a DataFrame with a line per trial
    ssmpe.load_sweep("SWEEP").curves             # likewise .tracks
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ssmpe.api import Network, load, load_sweep, table

__version__ = "0.4.0"
__all__ = ["Network", "__version__", "load", "load_sweep", "table"]


def __getattr__(name: str) -> Any:
    """Import what is offered when it is asked for: torch takes seconds."""
    if name not in __all__:
        raise AttributeError(f"module 'ssmpe' has no attribute {name!r}")
    from ssmpe import api

    return getattr(api, name)
