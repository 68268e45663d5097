"""A device apart from the host: a GPU, or where there is none, a stand-in for it.

The stand-in's tensors lie in the host's memory and its arithmetic is the CPU's, so numbers can be
compared. Otherwise it is as strict as a GPU: its tensors and the host's do not mix, and operations
for whose results the host would have to wait are recorded. It is treated as GPUs are.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.backend_registration import (
    _DummyBackendModule,
    _setup_privateuseone_for_python_backend,
)

NAME = "elsewhere"

_aten = torch.ops.aten
_WAITS = {
    _aten._local_scalar_dense.default,
    _aten.equal.default,
    _aten.nonzero.default,
    _aten.masked_select.default,
}
"""of which the host needs the numbers, or the shape of the result hangs on them"""
_IN_BF16 = "conv1d", "conv2d", "conv_transpose2d", "linear", "matmul", "mm", "bmm", "addmm"
_IN_FLOAT32 = "layer_norm", "binary_cross_entropy_with_logits"
"""what PyTorch casts on GPUs under autocast, as far as the project uses it"""


class Elsewhere(Tensor):
    """A tensor of the device, around one of the host."""

    host: Tensor

    @staticmethod
    def __new__(cls, host: Tensor) -> "Elsewhere":
        return Tensor._make_wrapper_subclass(
            cls,
            host.shape,
            strides=host.stride(),
            storage_offset=host.storage_offset(),
            dtype=host.dtype,
            device=torch.device(NAME, 0),
        )

    def __init__(self, host: Tensor) -> None:
        self.host = host

    def __repr__(self, **_: Any) -> str:  # type: ignore[override]
        return f"Elsewhere({self.host!r})"

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.host.__reduce_ex__(protocol)  # files know no such device

    def tolist(self) -> Any:
        return self.cpu().tolist()

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return _run(func, *args, **(kwargs or {}))


_waits: list[str] = []
_kept: list[torch.library.Library] = []


@contextmanager
def watched() -> Iterator[list[str]]:
    """Note what makes the host wait for the device meanwhile."""
    _waits.clear()
    if device() != "cuda":
        yield _waits
        return
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield _waits
        finally:
            torch.cuda.set_sync_debug_mode("default")
            _waits.extend(str(w.message) for w in told if "synchronizing" in str(w.message))


@cache
def device() -> str:
    """Name of the device, which PyTorch knows from then on."""
    if torch.cuda.is_available():
        return "cuda"
    _setup_privateuseone_for_python_backend(NAME, _Backend())
    anything = torch.library.Library("_", "IMPL")
    anything.fallback(_run, "PrivateUse1")
    anything.fallback(torch.library.fallthrough_kernel, "AutocastPrivateUse1")
    casts = torch.library.Library("aten", "IMPL")
    for names, dtype in ((_IN_BF16, torch.bfloat16), (_IN_FLOAT32, torch.float32)):
        for name in names:
            casts.impl(name, partial(_cast, getattr(_aten, name), dtype), "AutocastPrivateUse1")
    _kept.extend([anything, casts])
    return NAME


class _Backend(_DummyBackendModule):
    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16]


def _run(func: Any, *args: Any, **kwargs: Any) -> Any:
    """Run an operation on the host's tensors inside."""
    tensors = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
    inside = {id(x.host): x for x in tensors if isinstance(x, Elsewhere)}
    to_host = "device" in kwargs and torch.device(kwargs["device"]).type == "cpu"
    if func is _aten.copy_.default:
        to_host = not isinstance(args[0], Elsewhere)
    elif func is not _aten._to_copy.default and inside:
        _refuse_mixing(func, tensors)
    by_mask = func in (_aten.index.Tensor, _aten.index_put_.default) and any(
        x is not None and x.dtype == torch.bool for x in args[1]
    )
    if func in _WAITS or by_mask or (to_host and inside) or _blocks(func, args, kwargs):
        _waits.append(str(func))
    if "device" in kwargs:
        kwargs["device"] = torch.device("cpu")
    args, kwargs = tree_map(lambda x: x.host if isinstance(x, Elsewhere) else x, (args, kwargs))
    out = func(*args, **kwargs)
    if to_host:
        return out

    def outside(x: Any) -> Any:
        if not isinstance(x, Tensor):
            return x
        own = inside.get(id(x))  # of an operation in place
        return Elsewhere(x) if own is None else own

    return tree_map(outside, out)


def _blocks(func: Any, args: Any, kwargs: Any) -> bool:
    """Tell whether an operation copies from the host to the device, and waits for that."""
    if func is _aten.copy_.default:
        there = isinstance(args[0], Elsewhere) and not isinstance(args[1], Elsewhere)
        return there and not (args[2] if len(args) > 2 else kwargs.get("non_blocking"))
    there = torch.device(kwargs.get("device") or "cpu").type != "cpu"
    copies = func is _aten._to_copy.default and not isinstance(args[0], Elsewhere)
    return copies and there and not kwargs.get("non_blocking")


def _refuse_mixing(func: Any, tensors: list[Tensor]) -> None:
    # single numbers of the host are welcome, as on a GPU
    if any(x.dim() > 0 and not isinstance(x, Elsewhere) for x in tensors):
        raise RuntimeError(f"{func}: tensors of the host and of the device")


def _cast(func: Callable[..., Any], dtype: torch.dtype, *args: Any, **kwargs: Any) -> Any:
    def to_dtype(x: Any) -> Any:
        return x.to(dtype) if isinstance(x, Tensor) and x.is_floating_point() else x

    with torch.autocast(NAME, enabled=False):
        return func(*tree_map(to_dtype, args), **tree_map(to_dtype, kwargs))
