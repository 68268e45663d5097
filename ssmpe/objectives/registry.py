"""All objectives by name: the package's, and those that a user's file brings."""

from collections.abc import Sequence
from dataclasses import fields

from ssmpe.config import OBJECTIVES
from ssmpe.config.objectives import name_own
from ssmpe.console import told_in_scripts
from ssmpe.errors import UserError
from ssmpe.objectives.additivity import ADDITIVITY
from ssmpe.objectives.adversarial import ADVERSARIAL
from ssmpe.objectives.base import Batch, Loss, MakeView, Objective
from ssmpe.objectives.categorical import (
    CATEGORICAL,
    CATEGORICAL_INVARIANCE,
    SHIFT_CROSS_ENTROPY,
    TRANSPOSITION,
)
from ssmpe.objectives.content import CONTENT, CONTRASTIVE, ENTROPY
from ssmpe.objectives.energy import ENERGY, HARMONIC, SPARSITY, SUPPORT
from ssmpe.objectives.equivariance import GEOMETRIC
from ssmpe.objectives.invariance import FEATURE_DROPOUT, PERCUSSION, REVERBERATION, TIMBRE
from ssmpe.objectives.supervised import SUPERVISED
from ssmpe.objectives.vat import VAT


class Registry(dict[str, Objective]):
    """Objectives by name; UserError for one of a file that has not been loaded here."""

    def __missing__(self, name: str) -> Objective:
        raise UserError(
            f"objective {name!r} is not the package's, and no file has brought it: begin with the "
            "sweep's file that calls objective() for it"
        )


REGISTRY = Registry(
    (found.name, found)
    for found in (
        SUPERVISED,
        TIMBRE,
        PERCUSSION,
        GEOMETRIC,
        ENERGY,
        SPARSITY,
        SUPPORT,
        HARMONIC,
        ENTROPY,
        CONTENT,
        CONTRASTIVE,
        ADDITIVITY,
        FEATURE_DROPOUT,
        CATEGORICAL,
        CATEGORICAL_INVARIANCE,
        SHIFT_CROSS_ENTROPY,
        TRANSPOSITION,
        ADVERSARIAL,
        VAT,
        REVERBERATION,
    )
)
assert tuple(REGISTRY) == OBJECTIVES, "ssmpe.config.objectives.OBJECTIVES names others"

_NEEDS = tuple(f.name for f in fields(Batch) if f.name not in ("features", "target", "strength"))
"""Fields of a batch that are made only if an objective needs them."""


@told_in_scripts
def objective(
    name: str,
    loss: Loss,
    *,
    make_view: MakeView | None = None,
    on_content: bool = False,
    needs: Sequence[str] = (),
) -> Objective:
    """Add an objective of one's own to those that ``objectives.weights`` may name.

    A sweep's file calls it at its top level. Trials get it with the code that it was written with,
    on whichever node they run, and runs that were trained with other code of it are not reused.

    Args:
        name: of its weight, ``objectives.weights.NAME``, and of its metric, ``loss/NAME``.
        loss: see ``Objective`` for this and the others.

    Raises:
        UserError: the name is taken, or no name; or it is given, or needs, what does not exist.
    """
    name_own(name)
    for what, function in (("loss", loss), ("make_view", make_view)):
        if function is not None and not callable(function):
            raise UserError(f"objective {name!r}: {what} = {function!r:.80}: expected a function")
    for field in needs:
        if field not in _NEEDS:
            known = ", ".join(_NEEDS)
            raise UserError(f"objective {name!r}: needs {field!r:.80}: expected one of {known}")
    REGISTRY[name] = own = Objective(name, loss, make_view, on_content, tuple(needs))
    return own
