"""Training as a sequence of validations (paper section 3.1); knows neither Ray nor MLflow."""

import copy
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ssmpe.config import TrialConfig
from ssmpe.data.sets import Sets
from ssmpe.errors import UserError
from ssmpe.evaluation.notes import tuned_rule
from ssmpe.evaluation.scores import SetScores
from ssmpe.evaluation.scoring import evaluate, prepare_once
from ssmpe.network import precision
from ssmpe.network.baselines import network_of
from ssmpe.network.model import Autoencoder
from ssmpe.network.teacher import Teacher
from ssmpe.objectives import REGISTRY, Batch, Step, TotalLoss
from ssmpe.objectives.total import Term
from ssmpe.seeding import seed_of, torch_generator
from ssmpe.signal.hcqt import shared_hcqt
from ssmpe.signal.notes import Semitones
from ssmpe.signal.salience import THRESHOLD
from ssmpe.training import checkpoint
from ssmpe.training.batches import BatchMaker
from ssmpe.training.checkpoint import Best
from ssmpe.training.diagnostics import Diagnosis, Diagnostics
from ssmpe.training.optimizer import lr_scale, optimizer_of, restore, scale_rates

_GRADIENT = "gradient norm"


class DivergedError(Exception):
    """Loss that is no longer finite."""


class InterruptedTrainingError(Exception):
    """Request to stop, which was followed; a checkpoint may be saved, from which it continues."""


@dataclass(frozen=True)
class Validation:
    """Outcome of a validation.

    Attributes:
        batch: batches trained so far.
        losses: every active objective, unweighted, and "total": means over the batches since the
            last validation that have it.
        scores: by set name.
        is_best: the validation set's score is the highest so far, by the measure of ``Best``.
        train_seconds, evaluation_seconds: since the last validation.
        diagnosis: None if nothing was measured.
    """

    batch: int
    losses: dict[str, float]
    scores: dict[str, SetScores]
    is_best: bool
    train_seconds: float
    evaluation_seconds: float
    diagnosis: Diagnosis | None = None


class Trainer:
    """Trial in progress: a function of its configuration, whichever worker runs it.

    Every random draw depends on the seed and the number of the batch alone, so a checkpoint has
    no generator states to keep: the batch number is the state of all of them. ::

        config = tiny()
        rate = config.geometry.sample_rate
        sets = load_sets(config.data, rate, Locations(data_root), cache_dir())
        trainer = Trainer(config, sets)
        for validation in trainer.run():  # after every 70 of 630 batches
            validation.losses["total"]  # mean over these 70
            validation.scores["URMP/validation"].means.f1  # from 0 to 1
            trainer.save(folder)
        again = Trainer(config, sets)
        again.load(folder)  # goes on from there, to the same numbers
        again.network(again.batches(0).features)  # (4, 176, 22): logits (B, F, T)
    """

    def __init__(
        self,
        config: TrialConfig,
        sets: Sets,
        device: str = "cpu",
        parent: Path | None = None,
        diagnostics: int | None = None,
    ) -> None:
        """Take a trial to its beginning.

        Args:
            parent: folder with the best weights of the trial that this one continues, and their
                description, as ``save`` writes them; only if there is such a trial.
            diagnostics: batches from one measurement of ``Diagnostics`` to the next; None: none.
                They change no result.

        Raises:
            UserError: it is not that trial's, or cannot be used.
            PrecisionError: the processor lacks what the configuration asks for.
        """
        self.config, self.device = config, device
        g = config.geometry
        self.mixed = precision.mixed(config.training, device)
        self.hcqt = shared_hcqt(g, device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_of("weights", config.training.seed))
            self.network = network_of(g, config.model)
        self.network.channels_last(device)
        if config.training.parent:
            self._inherit(parent)
        decay = config.objectives.teacher_decay
        self.teacher = None if decay is None else Teacher(self.network, decay)
        seed = config.training.seed
        self.loss = TotalLoss(config.objectives, g, REGISTRY, seed=seed, device=device)
        self.batches = BatchMaker(config, sets, self.hcqt, self.loss.needs, device)
        self.evaluated = prepare_once(sets.evaluated, self.hcqt, device)
        self.optimizer = optimizer_of(
            self.network, config.training, device, self.loss.discriminator
        )
        self.diagnostics = Diagnostics(self.network, diagnostics) if diagnostics else None
        self.batch = 0
        self._interrupted: Callable[[], bool] = lambda: False
        self._losses = _Means()
        self._train_seconds = 0.0
        self._started = False
        self._lasting: dict[str, SetScores] = {}  # where nothing is trained, nothing changes them
        self.best = Best()

    def run(self, interrupted: Callable[[], bool] = lambda: False) -> Iterator[Validation]:
        """Train to the end, yielding at every validation; a checkpoint may be saved there.

        A trial that continues another is first validated as it starts, after 0 batches: what it
        changes, and whether it collapses, shows against that. Those weights are not its own, and
        never its best.

        Args:
            interrupted: asked after every batch, and before every evaluated set, whether to stop.

        Raises:
            DivergedError: the loss is not finite.
            InterruptedTrainingError: it was to stop; a checkpoint may be saved here, too.
            ScoringError: the scores at its end are not those that mir_eval gives.
        """
        self._interrupted = interrupted
        training = self.config.training
        if training.parent and not self._started:
            yield self._validated({})
        while self.batch < training.n_batches or self._losses:
            with self._timed():
                self._train_until(self._next_validation())
                losses = self._mean_losses()
            yield self._validated(losses)

    @property
    def scored(self) -> Autoencoder:
        """Network that validations score: the teacher's, if the configuration says so."""
        by_teacher = self.teacher is not None and self.config.objectives.score_teacher
        return self.teacher.network if self.teacher and by_teacher else self.network

    def _next_validation(self) -> int:
        """Return the batch of the next validation: a multiple of the interval, or the last."""
        every, n_batches = self.config.training.validate_every, self.config.training.n_batches
        if self._losses and (self.batch % every == 0 or self.batch == n_batches):
            return self.batch  # trained up to it, and interrupted before it
        return min(self.batch - self.batch % every + every, n_batches)

    def confirm(self) -> None:
        """Check that mir_eval gives the scores of the validation that was just yielded.

        Raises:
            ScoringError: it does not.
        """
        threshold = None
        for evaluated in self.evaluated:
            found = evaluate(self.scored, evaluated, threshold, by_mir_eval=True)
            threshold = found.threshold

    def evaluate(self, *, by_mir_eval: bool = False) -> dict[str, SetScores]:
        """Score the network as it is on all evaluated sets; arguments as of ``evaluate``."""
        if self._lasting and not by_mir_eval:
            self._stop_if_interrupted()
            return self._lasting
        self.scored.eval()
        scores: dict[str, SetScores] = {}
        threshold = None  # the labelled validation set comes first, and it is tuned there
        for evaluated in self.evaluated:
            self._stop_if_interrupted()
            found = evaluate(self.scored, evaluated, threshold, by_mir_eval=by_mir_eval)
            scores[evaluated.name], threshold = found, found.threshold
        if not self.config.model.learns:
            self._lasting = scores
        return scores

    def save(self, folder: Path, **plain: Any) -> None:
        """Write a checkpoint from which ``load`` continues bit for bit.

        Args:
            plain: further JSON-representable data to keep beside it.
        """
        kept = {"batch": self.batch, **plain}
        checkpoint.write(folder, self.config, self._state(), self.best, kept)

    def load(self, folder: Path) -> dict[str, Any]:
        """Continue from a checkpoint of the same configuration, and return its plain data.

        Raises:
            UserError: it cannot be used; the trainer is then as it was before.
        """
        plain, state, best = checkpoint.read(folder, self.config, self.device)
        before = copy.deepcopy(self._state())
        try:
            batch = int(plain["batch"])
            _require_like(best.weights, self.network)
            self._restore(state)
        except checkpoint.UNFIT as error:
            self._restore(before)
            # PyTorch lists every weight that does not fit, a line each
            reason = " ".join(str(error).split())[:120]
            raise UserError(f"{folder}: not a usable checkpoint ({reason})") from None
        self.best, self.batch = best, batch
        self._train_seconds = 0.0
        self._started = True
        return plain

    def _state(self) -> dict[str, Any]:
        """Return the tensors that a checkpoint keeps, nested in dicts."""
        state = {"network": self.network.state_dict(), "optimizer": self.optimizer.state_dict()}
        if self.teacher is not None:
            state["teacher"] = self.teacher.state_dict()
        if remembered := self.loss.state_dict():
            state["loss"] = remembered
        if self._losses:  # between two validations
            state["losses"] = self._losses.state()
        return state

    def _restore(self, state: Mapping[str, Any]) -> None:
        """Take over what ``_state`` gave; what of it does not fit raises one of many errors."""
        self.network.load_state_dict(state["network"])
        restore(self.optimizer, state["optimizer"])
        if self.teacher is not None:
            self.teacher.load_state_dict(state["teacher"])
        self.loss.load_state_dict(state.get("loss", {}))
        self._losses = _Means.restored(state.get("losses", {}), self.device)

    def _inherit(self, folder: Path | None) -> None:
        """Start from the best weights of the trial that this one continues."""
        wanted = self.config.training.parent
        if folder is None:
            raise UserError(f"training.parent = {wanted!r}: the weights of that trial are needed")
        weights = checkpoint.best_weights(folder, wanted, self.device)
        try:
            self.network.load_state_dict(weights)
        except checkpoint.UNFIT as error:
            reason = " ".join(str(error).split())[:120]
            raise UserError(f"{folder}: weights of another network ({reason})") from None

    def _train_until(self, stop: int) -> None:
        if not self.config.model.learns:  # a line to compare with: it is validated alike
            self._losses.add({_GRADIENT: torch.zeros(())})
            self.batch = stop
            return
        self.network.train()
        while self.batch < stop:
            self._stop_if_interrupted()
            # not every batch has every term: excerpts, fading
            self._losses.add(self._step(self.batch))
            self.batch += 1

    @contextmanager
    def _timed(self) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self._train_seconds += time.perf_counter() - started

    def _stop_if_interrupted(self) -> None:
        # measurements of diagnostics are not in checkpoints: with them, only validations are
        if self.diagnostics is None and self._interrupted():
            raise InterruptedTrainingError(f"interrupted after batch {self.batch}")

    def _mean_losses(self) -> dict[str, float]:
        """Return the mean losses of the batches since the last validation."""
        means = self._losses.read()
        if not self.config.model.learns:
            return {}
        # the last step's gradient spoils the weights without showing in any loss yet
        gradient = means.pop(_GRADIENT)
        if not math.isfinite(means["total"] + gradient):
            raise DivergedError(
                f"the loss became {means['total']:g} and its gradient {gradient:g} before batch "
                f"{self.batch}"
            )
        return means

    def _step(self, index: int) -> dict[str, Tensor]:
        """Train on one batch, by its number from 0; return its losses, detached, on the device."""
        training = self.config.training
        scale_rates(self.optimizer, lr_scale(index + 1, training.warmup_batches))
        batch = self.batches(index)

        def generator(objective: str) -> torch.Generator:
            return torch_generator("view", objective, training.seed, index)

        teacher = None
        if self.teacher is not None:
            # rounded, neighbouring bins tie, and a tie is no peak
            ranked = self.config.objectives.pseudo_labels.ones > 0
            teacher = self._passes(self.teacher.network, exact=ranked)
        forward = self._passes(self.network)
        weights = tuple(self.network.parameters())
        step = Step(forward, batch, generator, teacher, index / training.n_batches, weights)
        with self._watched(index, batch, lambda: self.loss.terms_of(step)):
            self.optimizer.zero_grad()
            values = self.loss.backward(step)
            norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), training.clip_norm)
            self.optimizer.step()
        if self.teacher is not None:
            self.teacher.follow(self.network)
        return {**values, _GRADIENT: norm}

    def _watched(
        self, index: int, batch: Batch, terms: Callable[[], Sequence[Term]]
    ) -> AbstractContextManager[None]:
        if self.diagnostics is None:
            return nullcontext()
        return self.diagnostics.watch(index, batch, terms, self._passes(self.network))

    def _passes(self, network: Autoencoder, exact: bool = False) -> Callable[[Tensor], Tensor]:
        """Return a network as a function from features to logits, in the precision of training.

        Args:
            exact: in full precision instead.
        """
        return partial(precision.logits_of, network, mixed=self.mixed and not exact)

    def _validated(self, losses: dict[str, float]) -> Validation:
        started = time.perf_counter()
        diagnosis = self.diagnostics.collect() if self.diagnostics else None
        # what a trial ends with is what tables are made of
        ends = self.batch >= self.config.training.n_batches
        scores = self.evaluate(by_mir_eval=ends)
        labelled = scores[self.config.data.validation]
        is_best = self.batch > 0 and self.best.take_if_better(labelled, self.batch, self.scored)
        if ends and self.best.weights:
            self._tune_notes()
        train_seconds = self._train_seconds
        self._losses, self._train_seconds = _Means(), 0.0
        seconds = time.perf_counter() - started
        return Validation(self.batch, losses, scores, is_best, train_seconds, seconds, diagnosis)

    def _tune_notes(self) -> None:
        """Choose, for the best weights, how notes are made: once, as nothing else hangs on it."""
        network = copy.deepcopy(self.scored).eval()
        network.load_state_dict(self.best.weights)
        labelled = next(s for s in self.evaluated if s.name == self.config.data.validation)
        # of weights from version 0.3.0, none may be stored
        threshold = THRESHOLD if self.best.threshold is None else self.best.threshold
        g = self.config.geometry
        semitones = Semitones(g)
        tracks = labelled.noted(network, semitones)
        self.best.notes = tuned_rule(tracks, semitones, g.frame_rate, threshold)


class _Means:
    """Means of scalars by name, each over as many values as were added of it.

    The sums stay on their device until they are asked for, so that training does not wait.
    """

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: Counter[str] = Counter()

    def __bool__(self) -> bool:
        """Tell whether anything was added."""
        return bool(self._counts)

    def add(self, values: Mapping[str, Tensor]) -> None:
        """Add one scalar tensor to each of these names."""
        for name, value in values.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value
            self._counts[name] += 1

    def read(self) -> dict[str, float]:
        """Return the means; waits for the device."""
        return {name: float(value) / self._counts[name] for name, value in self._sums.items()}

    def state(self) -> dict[str, tuple[Tensor, int]]:
        """Return what ``restored`` needs, bit for bit."""
        return {name: (value, self._counts[name]) for name, value in self._sums.items()}

    @classmethod
    def restored(cls, state: Mapping[str, Any], device: str) -> "_Means":
        """Return means that go on from a state, on a device."""
        means = cls()
        for name, (value, count) in state.items():
            means._sums[name], means._counts[name] = value.to(device), count
        return means


def _require_like(weights: Mapping[str, Tensor], network: Autoencoder) -> None:
    """Check that weights, if there are any, are a network's.

    Raises:
        ValueError: they are another's.
    """
    shapes = {name: weight.shape for name, weight in network.state_dict().items()}
    if weights and {name: weight.shape for name, weight in weights.items()} != shapes:
        raise ValueError("best weights of another network")
