"""A small network that tells outputs for labelled music from outputs for unlabelled music."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ssmpe.seeding import seed_of

CHANNELS = (4, 8)
SLOPE, DROPOUT = 0.2, 0.5


class Discriminator(nn.Module):
    """Three convolutions over pitch and time, with what they learn as their only state.

    Its shape is that of the published program's branch ``adversarial``; see
    ``ssmpe.objectives.adversarial``. Nothing in it depends on a global generator.

    Args:
        seed: of its initial weights, which are those of this seed in every trial.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        first, second = CHANNELS
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_of("discriminator", seed))
            self.hidden = nn.ModuleList(
                nn.Conv2d(n, m, 3, stride=2, padding=1) for n, m in ((1, first), (first, second))
            )
            self.judge = nn.Conv2d(second, 1, 5, padding=2)

    def forward(self, logits: Tensor, rng: torch.Generator) -> Tensor:
        """Return logits (n, F / 4, T / 4): that parts of outputs (n, F, T) are of labelled music.

        Args:
            rng: on the CPU, by which activations are dropped.
        """
        x = logits.unsqueeze(1)
        for layer in self.hidden:
            x = _dropped(F.leaky_relu(layer(x), SLOPE), rng)
        return self.judge(x).squeeze(1)


def _dropped(x: Tensor, rng: torch.Generator) -> Tensor:
    kept = torch.empty(x.shape).bernoulli_(1.0 - DROPOUT, generator=rng)
    return x * kept.to(x.device, non_blocking=True) / (1.0 - DROPOUT)
