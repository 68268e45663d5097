"""The method rendered straightforwardly, to measure against.

Dense time-domain transform, contiguous memory, one forward pass per view.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ssmpe.config import GeometryConfig, ModelConfig, TrialConfig
from ssmpe.network.model import DILATIONS, level_bins, level_channels
from ssmpe.objectives.base import bce
from ssmpe.signal.features import scaled_decibels
from ssmpe.signal.kernels import make_kernels
from ssmpe.signal.transforms import GeometricTransform, random_equalization


class DenseHCQT(nn.Module):
    """Every bin of every harmonic by a convolution in time, as the published program does."""

    weight: Tensor

    def __init__(self, g: GeometryConfig) -> None:
        super().__init__()
        self.hop, self.shape = g.hop_length, (g.n_harmonics, g.n_bins)
        kernels = make_kernels(g)
        # the published program computes the bins above Nyquist, too: here with a kernel of zeros
        taps = np.concatenate([kernels.taps, np.zeros_like(kernels.taps[:1])])
        taps = taps[kernels.index.ravel()].conj()
        weight = np.concatenate([taps.real, taps.imag]).astype(np.float32)
        self.register_buffer("weight", torch.from_numpy(weight)[:, None])

    def forward(self, audio: Tensor) -> Tensor:
        """Audio (B, 1, N) to the complex HCQT (B, H, F, T)."""
        half = self.weight.shape[-1] // 2
        out = F.conv1d(F.pad(audio, (half, half)), self.weight, stride=self.hop)
        real, imaginary = out[..., : 1 + audio.shape[-1] // self.hop].chunk(2, dim=1)
        return torch.complex(real, imaginary).unflatten(1, self.shape)


class PlainAutoencoder(nn.Module):
    """The network in (B, C, F, T), contiguous."""

    def __init__(self, g: GeometryConfig, model: ModelConfig) -> None:
        super().__init__()
        c, n = level_channels(model.complexity), level_bins(g.n_bins)
        latent = 32 * 2 ** (model.complexity - 1)
        layers: list[nn.Module] = [
            nn.Conv2d(g.n_harmonics, c[0], 3, padding=1),
            _FrameNorm(c[0], n[0]),
            nn.ELU(),
        ]
        for i in range(len(c) - 1):
            layers += [_Residual(c[i], d) for d in DILATIONS]
            layers += [
                nn.Conv2d(c[i], c[i + 1], (4, 1), stride=(2, 1)),
                _FrameNorm(c[i + 1], n[i + 1]),
                nn.ELU(),
            ]
        layers += [nn.Conv2d(c[-1], latent, (n[-1], 1)), _FrameNorm(latent, 1)]
        layers += [nn.ConvTranspose2d(latent, c[-1], (n[-1], 1)), _FrameNorm(c[-1], n[-1])]
        layers += [nn.ELU()]
        for i in reversed(range(len(c) - 1)):
            missing = n[i] - ((n[i + 1] - 1) * 2 + 4)
            layers += [
                nn.ConvTranspose2d(
                    c[i + 1], c[i], (4, 1), stride=(2, 1), output_padding=(missing, 0)
                ),
                _FrameNorm(c[i], n[i]),
                nn.ELU(),
            ]
            layers += [_Residual(c[i], d) for d in DILATIONS]
        layers.append(nn.Conv2d(c[0], 1, 3, padding=1))
        self.layers = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        logits: Tensor = self.layers(features)
        return logits[:, 0]


class _FrameNorm(nn.Module):
    def __init__(self, c: int, n: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm([c, n])

    def forward(self, x: Tensor) -> Tensor:
        normed: Tensor = self.norm(x.permute(0, 3, 1, 2))
        return normed.permute(0, 2, 3, 1)


class _Residual(nn.Module):
    def __init__(self, c: int, d: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            nn.Conv2d(c, c, 3, padding=d, dilation=d), nn.ELU(), nn.Conv2d(c, c, 1), nn.ELU()
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.inner(x)
        return out


class PlainStep:
    """A training step: a pass per view, everything kept until the end, a wait for every loss."""

    def __init__(self, config: TrialConfig, device: str = "cpu") -> None:
        self.config = config
        self.hcqt = DenseHCQT(config.geometry).to(device)
        self.network = PlainAutoencoder(config.geometry, config.model).to(device)
        self.optimizer = torch.optim.AdamW(self.network.parameters(), foreach=False)

    def __call__(self, audio: Tensor, drums: Tensor, target: Tensor, seed: int) -> dict[str, float]:
        """Audio and drums (B, 1, N), target (L, F, T) of the first L to the losses."""
        g, rng = self.config.geometry, torch.Generator().manual_seed(seed)
        features = scaled_decibels(self.hcqt(audio))
        volume = torch.rand((), generator=rng)
        percussive = scaled_decibels(self.hcqt(audio + volume * drums))
        logits = self.network(features)
        salience = torch.sigmoid(logits)
        geometric = GeometricTransform.draw(len(audio), features.shape[-1], g, rng)
        equalized = random_equalization(features, g, rng)
        losses = {
            "supervised": bce(logits[: len(target)], target).mean(),
            "timbre": bce(self.network(equalized), salience).mean(),
            "percussion": bce(self.network(percussive), salience).mean(),
            "geometric": bce(self.network(geometric(features)), geometric(salience)).mean(),
        }
        total = torch.stack(list(losses.values())).sum()
        self.optimizer.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        return {name: loss.item() for name, loss in losses.items()}
