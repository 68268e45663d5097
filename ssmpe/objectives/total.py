"""The weighted sum of the active objectives, and its gradient."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ssmpe.config import GeometryConfig, ObjectivesConfig
from ssmpe.errors import UserError
from ssmpe.network.discriminator import Discriminator
from ssmpe.objectives.base import Batch, Objective, Outputs, View
from ssmpe.objectives.passes import Network, Pass
from ssmpe.objectives.supervised import SUPERVISED
from ssmpe.objectives.targets import Targets, Taught

FUSED_NUMBERS = {"cpu": 1_000_000, "cuda": 4_000_000}
"""Number of features of a batch up to which one pass for all views is faster. Small passes waste
time between operations; large ones overflow a CPU's caches and keep all views' activations."""

_JUDGE = "discriminator."
"""What names of the discriminator's weights begin with, in the state of a loss"""

Generator = Callable[[str], torch.Generator]
"""Function from an objective's name to the CPU generator of its view's draws, which therefore do
not depend on what other objectives are active."""


@dataclass(frozen=True)
class Step:
    """Batch, with what it is trained with.

    Attributes:
        teacher: the network whose output is Y, if ``teacher_decay`` asks for one.
        progress: share of the trial's batches before this one, by which weights rise and fade.
        weights: of the network, whose gradients are projected if ``project_conflicts`` asks for it.
    """

    network: Network
    batch: Batch
    generator: Generator
    teacher: Network | None = None
    progress: float = 0.0
    weights: Sequence[Tensor] = ()


@dataclass(frozen=True)
class Term:
    """Term of the loss of a batch.

    Attributes:
        frames: losses (n, T) of the n excerpts that it sees, unweighted.
        value: their mean.
        first: the excerpt of the batch that is the first of those n.
        out: the outputs that it was computed from.
    """

    name: str
    weight: float
    frames: Tensor
    value: Tensor
    first: int
    out: Outputs


def total_of(terms: Sequence[Term]) -> Tensor:
    """Return the weighted sum of terms."""
    total = torch.zeros(())
    for term in terms:
        total = total + term.weight * term.value
    return total


class TotalLoss:
    """Total loss of a batch under a configuration.

    It is a function of the batch, and of what it remembers of those before: ``state_dict``, of
    which there is something only if a setting needs it.

    Args:
        objectives: the registry to draw from.
        fused: run originals and views through the network together, or one after the other (same
            numbers but for rounding). None: whichever suits the size of the batch.
        seed, device: of the discriminator, if an objective needs one.

    Attributes:
        discriminator: its weights get their gradient with the network's.
    """

    def __init__(
        self,
        config: ObjectivesConfig,
        geometry: GeometryConfig,
        objectives: Mapping[str, Objective],
        fused: bool | None = None,
        seed: int = 0,
        device: str = "cpu",
    ) -> None:
        self.config, self.geometry, self.fused = config, geometry, fused
        self.terms = [(objectives[name], weight) for name, weight in config.weights.items()]
        discriminates = any(objective.discriminates for objective, _ in self.terms)
        self.discriminator = Discriminator(seed).to(device) if discriminates else None
        self._targets = Targets(config, geometry)

    @property
    def needs(self) -> frozenset[str]:
        """Optional fields of the batch that the active objectives use."""
        return frozenset(field for objective, _ in self.terms for field in objective.needs)

    def __call__(self, step: Step) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the total, and every term unweighted and detached."""
        terms = self.terms_of(step)
        return total_of(terms), {term.name: term.value.detach() for term in terms}

    def backward(self, step: Step) -> dict[str, Tensor]:
        """Add the gradient of the total to those of the weights, and remember the batch.

        Of a large batch, it keeps the activations of the originals and of one view at a time.

        Returns:
            "total", and every active term unweighted; detached.
        """
        values = self._backward(step)
        self._targets.follow()
        return values

    def state_dict(self) -> dict[str, Tensor]:
        """Return what is remembered of the batches so far, by name."""
        net = {} if self.discriminator is None else self.discriminator.state_dict(prefix=_JUDGE)
        return {**self._targets.state_dict(), **net}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what ``state_dict`` gave; LookupError or ValueError if that does not fit."""
        self._targets.load_state_dict(state)
        if self.discriminator is not None:
            own = {name: state[_JUDGE + name] for name in self.discriminator.state_dict()}
            self.discriminator.load_state_dict(own)

    def _backward(self, step: Step) -> dict[str, Tensor]:
        batch, projects = step.batch, self.config.project_conflicts
        if self._fuses(batch.features) and not projects:
            total, values = self(step)
            total.backward()
            return {"total": total.detach(), **values}
        originals = Pass(step.network, batch.features)
        taught = self._taught(step, originals.logits)
        total, values = torch.zeros(()), {}
        supervised: list[Tensor] = []
        for objective, weight in self._active(step):
            view = self._view(objective, step)
            seen = None if view is None else Pass(step.network, view.features)
            # a salience of its own: every term goes back through it by itself
            common = self._outputs(originals.logits, taught, batch)
            out = self._own(objective, step, common, view, None if seen is None else seen.logits)
            value = self._frames(objective, batch, out).mean()
            (weight * value).backward()
            if seen is not None:
                seen.backward()
            values[objective.name] = value.detach()
            total = total + weight * value.detach()
            if projects and objective.name == SUPERVISED.name:  # the first of all
                originals.backward(again=True)
                supervised = _taken(step.weights)
        originals.backward()
        if supervised:
            _add_supervised(supervised, step.weights)
        return {"total": total, **values}

    def terms_of(self, step: Step) -> list[Term]:
        """Return the terms that are active on a batch, with their graphs."""
        batch, active = step.batch, self._active(step)
        made = {o.name: self._view(o, step) for o, _ in active}
        views = {name: view for name, view in made.items() if view is not None}
        logits, view_logits = self._forward(step, views)
        common = self._outputs(logits, self._taught(step, logits), batch)
        terms = []
        for objective, weight in active:
            name = objective.name
            out = self._own(objective, step, common, views.get(name), view_logits.get(name))
            frames = self._frames(objective, batch, out)
            first = out.rows.start if objective.on_content else 0
            terms.append(Term(name, weight, frames, frames.mean(), first, out))
        return terms

    def _active(self, step: Step) -> list[tuple[Objective, float]]:
        """Return the objectives that count in a batch, with their weights at this point.

        Those that have faded, or not begun, are left out; those on content if they see no excerpt.

        Raises:
            UserError: none does.
        """
        now = [
            (objective, self._share(objective.name, step.progress) * w)
            for objective, w in self.terms
        ]
        rows = self._content(step.batch)
        found = [(o, w) for o, w in now if w > 0 and (rows.start < rows.stop or not o.on_content)]
        if not found:
            raise UserError(
                f"nothing to learn from after {step.progress:.0%} of the batches: of "
                f"objectives.weights ({', '.join(o.name for o, _ in now)}) none counts there: it "
                "has faded, has not begun, or sees only added excerpts, and none is added"
            )
        return found

    def _share(self, name: str, progress: float) -> float:
        """Return the share of an objective's weight that counts at this point of the trial."""
        config = self.config
        risen = min(1.0, progress / config.ramp[name]) if name in config.ramp else 1.0
        left = max(0.0, 1.0 - progress / config.fade[name]) if name in config.fade else 1.0
        return risen * left

    def _content(self, batch: Batch) -> slice:
        """Return the excerpts that terms on content see."""
        first = 0 if self.config.content_on == "all" else batch.n_labelled
        return slice(first, batch.features.shape[0])

    def _view(self, objective: Objective, step: Step) -> View | None:
        if objective.make_view is None:
            return None
        view = objective.make_view(step.batch, self.geometry, step.generator(objective.name))
        wanted = tuple(step.batch.features.shape)
        if not isinstance(view, View):
            raise UserError(f"objective {objective.name!r} made {_of(view)}, expected a View")
        if tuple(view.features.shape) != wanted:
            made = _of(view.features)
            raise UserError(f"objective {objective.name!r} made a view of {made}, not {wanted}")
        if objective.against is None:
            return view
        return objective.against(step.network, step.batch.features, view)

    def _frames(self, objective: Objective, batch: Batch, out: Outputs) -> Tensor:
        """Return the losses (n, T) of an objective.

        Raises:
            UserError: it returns another shape, whose mean would weigh otherwise; or a constant.
        """
        frames = objective.loss(batch, out, self.geometry)
        n_seen, n_frames = len(out.logits[out.rows]), out.logits.shape[-1]
        n = n_seen if objective.on_content else len(out.logits)
        shapes = {(n, n_frames)}
        if not objective.on_content:
            shapes.add((batch.n_labelled, n_frames))
        if not isinstance(frames, Tensor) or tuple(frames.shape) not in shapes:
            summed = isinstance(frames, Tensor) and frames.ndim > 2
            hint = "sum over frequency" if summed else "a loss for every excerpt and frame"
            wanted = f"expected {(n, n_frames)}: {hint}"
            raise UserError(f"objective {objective.name!r} returned {_of(frames)}, {wanted}")
        if out.logits.requires_grad and not frames.requires_grad:
            raise UserError(
                f"objective {objective.name!r} returned a constant, from which no gradient leads "
                "back to the logits"
            )
        return frames

    def _taught(self, step: Step, logits: Tensor) -> Taught:
        """Return what the batch is taught, given the logits (B, F, T) of the originals."""
        assert (step.teacher is not None) == (self.config.teacher_decay is not None)
        with torch.no_grad():
            teacher = None if step.teacher is None else step.teacher(step.batch.features).float()
            return self._targets.taught(step.batch, logits, teacher)

    def _outputs(self, logits: Tensor, taught: Taught, batch: Batch) -> Outputs:
        """Return what every term is given of the originals."""
        salience = torch.sigmoid(logits)
        own = salience.detach() if self.config.stop_gradient else salience
        rows, consistency = self._content(batch), self.config.consistency
        targets = taught.targets(own)
        return Outputs(
            logits, salience, targets, rows, consistency=consistency, ignored=taught.ignored
        )

    def _own(
        self,
        objective: Objective,
        step: Step,
        common: Outputs,
        view: View | None,
        view_logits: Tensor | None,
    ) -> Outputs:
        """Return what one term is given: that of all, and what it alone needs."""
        own = replace(common, view=view, view_logits=view_logits)
        if not objective.discriminates:
            return own
        rng = step.generator(objective.name)
        return replace(own, discriminator=self.discriminator, rng=rng)

    def _forward(self, step: Step, views: Mapping[str, View]) -> tuple[Tensor, dict[str, Tensor]]:
        network, features = step.network, step.batch.features
        inputs = [features, *(view.features for view in views.values())]
        if self._fuses(features):
            outputs = list(network(torch.cat(inputs)).float().chunk(len(inputs)))
        else:
            outputs = [network(x).float() for x in inputs]
        return outputs[0], dict(zip(views, outputs[1:], strict=True))

    def _fuses(self, features: Tensor) -> bool:
        if self.fused is not None:
            return self.fused
        return features.numel() <= FUSED_NUMBERS.get(features.device.type, 0)


def _taken(weights: Sequence[Tensor]) -> list[Tensor]:
    """Take the gradients away from weights; zeros where there is none."""
    taken = [torch.zeros_like(w) if w.grad is None else w.grad for w in weights]
    for weight in weights:
        weight.grad = None
    return taken


def _add_supervised(supervised: Sequence[Tensor], weights: Sequence[Tensor]) -> None:
    """Add the supervised gradient s to that of all other terms u, after a projection of u.

    Where u . s < 0, u loses its part against s: u - (u . s / s . s) s, over all weights as one
    vector. That is the half of PCGrad (arXiv 2001.06782) that leaves the labels their full say.
    """
    others = [torch.zeros_like(w) if w.grad is None else w.grad for w in weights]
    product, square = (
        torch.stack([(a * s).sum() for a, s in zip(of, supervised, strict=True)]).sum()
        for of in (others, supervised)
    )
    share = (product / square.clamp_min(torch.finfo(square.dtype).tiny)).clamp(max=0.0)
    for weight, u, s in zip(weights, others, supervised, strict=True):
        weight.grad = u + (1.0 - share) * s


def _of(thing: object) -> str:
    """Say what a user's function gave instead: the shape of a tensor, else its type."""
    return f"{tuple(thing.shape)}" if isinstance(thing, Tensor) else type(thing).__name__
