"""Shares of GPUs from measured memory: the arithmetic, and the way on a machine without one."""

import io
import socket
from dataclasses import asdict

import pytest
from rich.console import Console

from ssmpe.data.store.cache import cache_dir
from ssmpe.errors import UserError
from ssmpe.experiments.estimate import batch_macs
from ssmpe.experiments.options import parse
from ssmpe.experiments.sweep import Trial
from ssmpe.runner.cluster.cluster import cluster
from ssmpe.runner.cluster.nodes import Node
from ssmpe.runner.cluster.resources import fitting
from ssmpe.runner.trial import gpu_share
from ssmpe.runner.trial.device import CONTEXT_BYTES, tensor_share
from ssmpe.runner.trial.worker import Worker

GIB = 2**30


@pytest.fixture
def worker(world) -> Worker:
    return Worker(
        home=socket.gethostname(), release={}, data_root=str(world), folders={},
        cache=str(cache_dir()), world="tiny", ready={}, digests={}, storage="",
        sweep="", threads=1, gpus=0.0, diagnostics=None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("needed", "card", "share"),
    [
        (5 * GIB, 24 * GIB, 0.25),
        (6 * GIB, 24 * GIB, 0.25),
        (6 * GIB + 1, 24 * GIB, 0.3333),
        (12 * GIB + 1, 24 * GIB, 1.0),
        (24 * GIB, 24 * GIB, 1.0),
        (24 * GIB + 1, 24 * GIB, 1.0),  # it ran there: the allowance was too large
        (GIB, 7 * GIB, 0.1428),
        (GIB, 80 * GIB, 0.0125),
    ],
)
def test_the_share_is_the_smallest_part_of_a_card_that_holds_a_trial(needed, card, share):
    assert gpu_share.share_of(needed, card) == share
    node = [Node("a", "host", 128, 1)]
    assert fitting(node, 1, share) == max(1, card // needed)
    # Ray counts in ten-thousandths; more than a card would leave one of them waiting
    assert round(share * 10_000) * fitting(node, 1, share) <= 10_000


def test_tensors_get_what_the_context_leaves_of_a_share():
    card = 16 * GIB
    assert tensor_share(1.0, card) == 1.0
    assert tensor_share(0.25, card) * card + CONTEXT_BYTES == 4 * GIB
    assert 0 < tensor_share(0.05, card) < 0.05


def test_a_trial_is_measured_by_two_batches_and_a_validation(brief, worker):
    short = gpu_share.shortened(brief)
    changed = {k: v for k, v in short.flat().items() if brief.flat()[k] != v}
    assert changed == {"training.n_batches": 2, "training.warmup_batches": 0}
    assert short.training.validate_every == 2
    assert gpu_share.measure(brief.to_dict(), asdict(worker)) == 0, "a CPU does not tell"


def test_views_and_excerpts_make_a_trial_demanding(brief):
    more = brief.replace({"data.added": {"NSynth/train": 8}})
    fewer_views = brief.replace({"objectives.weights": {"supervised": 1.0}})
    assert batch_macs(fewer_views) < batch_macs(brief) < batch_macs(more)


def test_without_a_gpu_auto_means_none(brief, worker):
    said = io.StringIO()
    with cluster(None):
        assert gpu_share.propose([Trial("Ref.", brief)], worker, Console(file=said)) == 0.0
    assert said.getvalue() == ""


def test_the_option_takes_auto_a_share_or_a_count():
    given = {
        t: parse("?", "x", ["--gpus-per-trial", t]).gpus_per_trial for t in ("auto", ".5", "2")
    }
    assert given == {"auto": "auto", ".5": 0.5, "2": 2.0}
    with pytest.raises(UserError, match="all: expected a share from 0 to 1, a count, or auto"):
        parse("?", "x", ["--gpus-per-trial", "all"])
