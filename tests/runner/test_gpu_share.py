"""Shares of GPUs from measured memory: the arithmetic, and the way on a machine without one."""

import io
import socket
from dataclasses import asdict

import pytest
import ray
from rich.console import Console

from ssmpe.data.store.cache import cache_dir
from ssmpe.errors import UserError
from ssmpe.experiments.estimate import batch_macs
from ssmpe.experiments.options import parse
from ssmpe.experiments.sweep import Trial
from ssmpe.runner.cluster.cluster import LOOPBACK, cluster, only_loopback
from ssmpe.runner.cluster.nodes import Node
from ssmpe.runner.cluster.resources import Share, fitting
from ssmpe.runner.trial import gpu_share
from ssmpe.runner.trial.device import CONTEXT_BYTES, tensor_share
from ssmpe.runner.trial.worker import Worker
from tests.support.actors import GreedyIfEven
from tests.support.invented import planned, run

GIB = 2**30


@pytest.fixture
def worker(world) -> Worker:
    return Worker(
        home=socket.gethostname(), release={}, data_root=str(world), folders={},
        cache=str(cache_dir()), world="tiny", ready={}, digests={}, storage="",
        sweep="", threads=1, gpus=0.0, diagnostics=None, early_stop=True,
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


@pytest.mark.parametrize(
    ("text", "share"),
    [("1/3", 0.3333), ("0.33", 0.3333), ("0.3333", 0.3333), ("1/7", 0.1428), ("0.125", 0.125),
     ("1/10000", 0.0001), ("0", 0.0), ("1", 1.0), ("4/2", 2.0), ("0.995", 1.0)],
)  # fmt: skip
def test_shares_leave_nothing_of_a_card(text, share):
    assert parse("?", "x", ["--gpus-per-trial", text]).gpus_per_trial == share


@pytest.mark.parametrize(
    ("text", "others"),
    [("0.3", "1/4 or 1/3"), ("0.6", "1/2 or 1"), ("2/3", "1/2 or 1"), ("0.4", "1/3 or 1/2"),
     ("0.7", "1/2 or 1"), ("0.00001", "1/10000 or 1/9999")],
)  # fmt: skip
def test_a_share_that_would_leave_some_is_refused_with_those_beside_it(text, others):
    with pytest.raises(UserError, match=f"--gpus-per-trial {text}: .*give {others},"):
        parse("?", "x", ["--gpus-per-trial", text])


@pytest.mark.parametrize("text", ["1/0", "1/", "/3", "1/3/2", "1/x", "0/0", "1/-3", "1/1e-400"])
def test_what_is_no_share_is_refused(text):
    with pytest.raises(UserError, match=r"expected a share|give 1/"):
        parse("?", "x", ["--gpus-per-trial", text])


def test_enlarged_shares_leave_nothing_of_a_card_either():
    shares = [Share(1, 0.1428)]
    while larger := shares[-1].larger(0, 1):
        shares.append(larger)
    assert [share.gpus for share in shares] == [0.1428, 0.25, 0.5, 1.0]
    assert Share(1, 0.3333).larger(0, 1) == Share(1, 0.5)
    assert Share(1, 0.3).larger(0, 1) == Share(1, 0.5), "of a plan of version 0.3.0"


@pytest.fixture
def two_cards(monkeypatch):
    """Start Ray, which takes the user's word for it that there are GPUs."""
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    with only_loopback():
        ray.init(
            address="local",
            num_cpus=6,
            num_gpus=2,
            include_dashboard=False,
            log_to_driver=False,
            _node_ip_address=LOOPBACK,
        )
    yield
    ray.shutdown()


def test_trials_of_different_shares_do_not_block_each_other(two_cards, tmp_path):
    code, output = run(planned(8, tmp_path, gpus=0.3333), tmp_path, GreedyIfEven)
    assert code == 0, output
    assert output.count("once more, with 0.5 of a GPU") == 4
