"""What each term of the loss does to the network and to its output, measured while it trains.

Nothing is measured unless it is asked for. A measurement takes one more backward pass per term and
two more forward passes, of all views together: with the four terms of the paper, such a batch takes
over three times as long as another (preset tiny, one core), and holds the activations of all views.
It changes no weight and draws no random number.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ssmpe.network.model import Autoencoder
from ssmpe.objectives import Batch
from ssmpe.objectives.supervised import SUPERVISED
from ssmpe.objectives.total import Term

N_BANDS = 10
"""Number of bands of the histogram of salience."""
OUTPUT, TARGET, VIEW = "output", "target", "view"
"""Places where the gradient of a term arrives: at the output for the originals, if the term judges
that itself; there, but through Y, if it compares a view with Y; at the output for that view."""

Key = tuple[str, ...]
Values = dict[Key, Tensor]
Collected = dict[Key, list[Tensor]]


@dataclass(frozen=True)
class Diagnosis:
    """Means over the measurements since the last validation.

    Attributes:
        gradients: part of the network ("encoder", "decoder"), measure, term -> "norm" of the
            weighted term's gradient; its "cosine" with that of the supervised term, 0 where one of
            the two vanishes.
        losses: term, set -> the unweighted term on the excerpts of the set.
        pulls: where, measure, term, set -> what the weighted term asks of the logits in a frame of
            the set: the "mean" over frames of minus its gradient, summed over bins (above 0: more
            salience), and its parts "below" and "above", from the bins in which the output at that
            place is below one half, or not; "norm": root mean square over frames of the gradient's
            norm over bins.
        salience: measure, set -> of the output: its "mean", the mean "peak" of a frame, the binary
            "entropy" of a frame in bits, summed over bins, the "change" of the mean by one batch.
        histograms: set -> shares of the output's bins in ``N_BANDS`` equal bands from 0 to 1.
    """

    gradients: dict[Key, float]
    losses: dict[Key, float]
    pulls: dict[Key, float]
    salience: dict[Key, float]
    histograms: dict[str, list[float]]


@dataclass
class _Measurements:
    """Measurements that the fields of a ``Diagnosis`` are the means of.

    They stay on the device, so that training does not wait for it. Not every batch has an excerpt
    of every set for every term.
    """

    gradients: Collected = field(default_factory=dict)
    losses: Collected = field(default_factory=dict)
    pulls: Collected = field(default_factory=dict)
    salience: Collected = field(default_factory=dict)
    histograms: Collected = field(default_factory=dict)

    def diagnosis(self) -> Diagnosis:
        return Diagnosis(
            gradients=_means(self.gradients),
            losses=_means(self.losses),
            pulls=_means(self.pulls),
            salience=_means(self.salience),
            histograms={name: shares for (name,), shares in _means(self.histograms).items()},
        )


def _means(collected: Collected) -> dict[Key, Any]:
    """Return the means of lists of numbers, and as lists those of vectors; waits but once."""
    if not collected:
        return {}
    means = torch.stack([torch.stack(values).mean(dim=0) for values in collected.values()])
    return dict(zip(collected, means.tolist(), strict=True))


class Diagnostics:
    """Measurements while a network is trained, of one batch in ``every``.

    Args:
        every: batches from one measurement to the next; the first batch is measured.
    """

    def __init__(self, network: Autoencoder, every: int) -> None:
        self.every = every
        decoder = list(network.decoder.parameters())
        own = {id(p) for p in decoder}
        # as for the learning rates: what is not the decoder counts as encoder
        self._encoder = [p for p in network.parameters() if id(p) not in own]
        self._decoder = decoder
        self._found = _Measurements()

    def collect(self) -> Diagnosis | None:
        """Return the means since the last call; None if nothing was measured."""
        found, self._found = self._found, _Measurements()
        return found.diagnosis() if found.gradients else None

    def watch(
        self,
        index: int,
        batch: Batch,
        terms: Callable[[], Sequence[Term]],
        forward: Callable[[Tensor], Tensor],
    ) -> AbstractContextManager[None]:
        """Return a context for the update of the weights with batch number ``index``.

        Args:
            terms: makes those of the batch, with their graph; called if they are measured.
            forward: the network, features (N, H, F, T) to logits (N, F, T).
        """
        return self._measured(batch, terms, forward) if index % self.every == 0 else nullcontext()

    @contextmanager
    def _measured(
        self,
        batch: Batch,
        make_terms: Callable[[], Sequence[Term]],
        forward: Callable[[Tensor], Tensor],
    ) -> Iterator[None]:
        found, terms = self._found, make_terms()
        self._measure_terms(batch.sets, terms)
        before = terms[0].out.salience.detach()
        del terms  # the update keeps activations of its own
        for name in dict.fromkeys(batch.sets):
            own = of_set(before, batch.sets, name)
            _add(found.salience, {(m, name): value for m, value in salience_measures(own).items()})
            _add(found.histograms, {(name,): histogram(own)})
        yield
        with torch.no_grad():
            moved = torch.sigmoid(forward(batch.features).float()) - before
        for name in dict.fromkeys(batch.sets):
            change = of_set(moved, batch.sets, name).mean()
            _add(found.salience, {("change", name): change})

    def _measure_terms(self, sets: Sequence[str], terms: Sequence[Term]) -> None:
        found = self._found
        parts: dict[str, dict[str, Tensor]] = {"encoder": {}, "decoder": {}}
        for term in terms:
            encoder, decoder, arriving = self._gradients(term)
            parts["encoder"][term.name], parts["decoder"][term.name] = encoder, decoder
            seen = slice(term.first, term.first + len(term.frames))
            for name in dict.fromkeys(sets[seen]):
                own = of_set(term.frames.detach(), sets[seen], name)
                _add(found.losses, {(term.name, name): own.mean()})
                for where, (gradient, logits) in arriving.items():
                    pulls = pull_measures(
                        of_set(gradient[seen], sets[seen], name),
                        of_set(logits[seen], sets[seen], name),
                    )
                    keys: Values = {(where, m, term.name, name): v for m, v in pulls.items()}
                    _add(found.pulls, keys)
        for part, gradients in parts.items():
            _add(found.gradients, {(part, *key): v for key, v in conflicts(gradients).items()})

    def _gradients(self, term: Term) -> tuple[Tensor, Tensor, dict[str, tuple[Tensor, Tensor]]]:
        """Return a weighted term's gradients: of the encoder and decoder, flat, and at the logits.

        The latter (B, F, T) are as if every frame had a loss of its own instead of a share in the
        mean; with them come these logits.
        """
        out, n_encoder = term.out, len(self._encoder)
        places = {OUTPUT: out.logits}
        if out.view_logits is not None:
            places = {TARGET: out.logits, VIEW: out.view_logits}
        gradients = torch.autograd.grad(
            term.weight * term.value,
            [*self._encoder, *self._decoder, *places.values()],
            retain_graph=True,
            materialize_grads=True,  # where Y is without gradient, none arrives
        )
        flat = torch.cat([g.flatten() for g in gradients[:n_encoder]])
        others = torch.cat([g.flatten() for g in gradients[n_encoder : -len(places)]])
        scaled = [g * term.frames.numel() for g in gradients[-len(places) :]]
        arriving = zip(scaled, (logits.detach() for logits in places.values()), strict=True)
        return flat, others, dict(zip(places, arriving, strict=True))


def conflicts(gradients: Mapping[str, Tensor]) -> Values:
    """Return the norm of every term's flat gradient, and its cosine with the supervised term's.

    Keys are ("norm", term) and ("cosine", term).
    """
    norms = {term: gradient.norm() for term, gradient in gradients.items()}
    values: Values = {("norm", term): norm for term, norm in norms.items()}
    reference = gradients.get(SUPERVISED.name)
    for term, gradient in gradients.items():
        if reference is not None and term != SUPERVISED.name:
            product = (norms[term] * norms[SUPERVISED.name]).clamp_min(torch.finfo().tiny)
            values["cosine", term] = gradient.dot(reference) / product
    return values


def pull_measures(gradient: Tensor, logits: Tensor) -> dict[str, Tensor]:
    """Return what a gradient at a set's logits (n, F, T) amounts to; see ``Diagnosis.pulls``."""
    below = (gradient * (logits < 0)).sum(dim=-2).mean()  # salience below one half
    whole = gradient.sum(dim=-2).mean()
    return {
        "mean": -whole,
        "below": -below,
        "above": below - whole,
        "norm": gradient.square().sum(dim=-2).mean().sqrt(),
    }


def salience_measures(salience: Tensor) -> dict[str, Tensor]:
    """Return measures of the salience (n, F, T) of a set; see ``Diagnosis.salience``."""
    nats = torch.special.entr(salience) + torch.special.entr(1.0 - salience)
    return {
        "mean": salience.mean(),
        "peak": salience.amax(dim=-2).mean(),
        "entropy": nats.sum(dim=-2).mean() / math.log(2.0),
    }


def histogram(salience: Tensor) -> Tensor:
    """Return the shares (N_BANDS,) of the bins in equal bands of salience from 0 to 1."""
    return torch.histc(salience, N_BANDS, 0.0, 1.0) / salience.numel()


def of_set(values: Tensor, sets: Sequence[str], name: str) -> Tensor:
    """Return values (n, ...) of the excerpts of one set, among values (B, ...) of B excerpts."""
    return torch.stack([x for x, own in zip(values, sets, strict=True) if own == name])


def _add(collected: Collected, values: Mapping[Key, Tensor]) -> None:
    for key, value in values.items():
        collected.setdefault(key, []).append(value)
