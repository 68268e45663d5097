"""Trials of a few batches, told apart by their numbers."""

import dataclasses

import pytest

from ssmpe.training.trainer import Trainer


@pytest.fixture(scope="module")
def undisturbed(brief, sets):
    trainer = Trainer(brief, sets)
    return trainer, list(trainer.run())


def numbers(validations):
    """Everything of validations but the time they took."""
    return [dataclasses.replace(v, train_seconds=0.0, evaluation_seconds=0.0) for v in validations]


def same(a, b) -> bool:
    """Equality of nested plain data in which NaN equals NaN."""
    return repr(a) == repr(b)
