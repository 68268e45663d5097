"""Output for unlabelled music that nobody can tell from that for labelled music.

The published program's authors sought to bring collapsed networks back so, and did not publish it:
https://github.com/cwitkowitz/ss-mpe, branch ``adversarial``, commit ``d6fe7cb``; ``55d2e7f`` calls
it the best regeneration so far. It is the domain confusion of arXiv 2208.08131.
"""

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional as F

from ssmpe.config import GeometryConfig
from ssmpe.objectives.base import Batch, Objective, Outputs


def _adversarial(batch: Batch, out: Outputs, g: GeometryConfig) -> Tensor:
    """Ask the outputs for content to pass for labelled ones, and the discriminator to see through.

    The value is that of the network's part alone. The discriminator's part adds its gradient by the
    discriminator's weights and nothing else: no gradient reaches outputs for labelled music.
    """
    net, rng = out.discriminator, out.rng
    assert net is not None
    assert rng is not None
    logits = out.logits.detach()
    verdicts = net(logits, rng)
    of_labelled = torch.arange(len(verdicts), device=logits.device) < batch.n_labelled
    truth = of_labelled[:, None, None].expand_as(verdicts).to(verdicts.dtype)
    own = F.binary_cross_entropy_with_logits(verdicts, truth)
    fixed = {name: weight.detach() for name, weight in net.named_parameters()}
    passing = F.softplus(-functional_call(net, fixed, (out.logits[out.rows], rng)))
    frames = passing.mean(dim=(-2, -1))[:, None].expand(-1, out.logits.shape[-1])
    return frames + (own - own.detach())


ADVERSARIAL = Objective("adversarial", _adversarial, on_content=True, discriminates=True)
"""Objective that is off in the paper, and has something to learn itself."""
