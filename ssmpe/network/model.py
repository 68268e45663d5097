"""The 2D convolutional autoencoder from HCQT features to salience (paper section 2.2).

Tensors run through the network as (B, C, T, F) in channels-last memory, physically (B, T, F, C):
the layer norm over (frequency, channel) of a frame is then one over adjacent numbers, and
convolutions with few channels are several times faster on CPUs than in channels-first memory.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from ssmpe.config import GeometryConfig, ModelConfig
from ssmpe.network.layers import (
    FrameNorm,
    FramesToLatent,
    LatentToFrames,
    ResidualBlock,
    Upsampling,
)
from ssmpe.signal.estimates import MIDDLE_LEVEL, level_of_pitches

N_LEVELS = 4
"""Number of times that the encoder halves the resolution of frequency."""
DILATIONS = (1, 2, 3)
"""Dilations of the residual blocks of a level, one after the other."""


def level_channels(complexity: int) -> list[int]:
    """Return the numbers of channels at the levels of the network, input side first."""
    return [2 ** (i + 1) * 2 ** (complexity - 1) for i in range(N_LEVELS + 1)]


def level_bins(n_bins: int) -> list[int]:
    """Return the rows along frequency at the levels: each half of the one before, less one."""
    sizes = [n_bins]
    for _ in range(N_LEVELS):
        sizes.append(sizes[-1] // 2 - 1)
    return sizes


class Autoencoder(nn.Module):
    """Network from features (B, H, F, T) in [0, 1] to logits (B, F, T) of the salience."""

    def __init__(self, geometry: GeometryConfig, model: ModelConfig) -> None:
        super().__init__()
        channels, bins = level_channels(model.complexity), level_bins(geometry.n_bins)
        latent = 32 * 2 ** (model.complexity - 1)
        self.encoder = Encoder(geometry.n_harmonics, channels, bins, latent)
        self.decoder = Decoder(channels, bins, latent)
        self.skips = nn.Parameter(torch.ones(N_LEVELS + 1)) if model.skip_connections else None
        if model.output_bias is not None:
            assert self.decoder.output.bias is not None
            nn.init.constant_(self.decoder.output.bias, model.output_bias)
        self.geometry, self.decomposition = geometry, model.decomposition

    def channels_last(self, device: str = "cpu") -> "Autoencoder":
        """Move the network to a device, and its weights to the memory format of its activations."""
        # PyTorch's annotations do not know this argument
        return self.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, features: Tensor) -> Tensor:
        x = features.transpose(2, 3).contiguous(memory_format=torch.channels_last)
        latent, levels = self.encoder(x)
        scaled = (
            None if self.skips is None else [s * x for s, x in zip(self.skips, levels, strict=True)]
        )
        logits: Tensor = self.decoder(latent, scaled)
        return logits[:, 0].transpose(1, 2)

    def used(self, features: Tensor) -> Tensor:
        """Return the logits (B, F, T) that make the salience: beside the signal's, if asked for."""
        logits: Tensor = self(features)
        if self.decomposition == 0:
            return logits
        beside = level_of_pitches(features, self.geometry) - MIDDLE_LEVEL
        return logits + self.decomposition * beside


class Encoder(nn.Module):
    """Half from (B, H, T, F) to the latent (B, D, T, 1) and the outputs of all levels before it."""

    def __init__(self, n_harmonics: int, channels: list[int], bins: list[int], latent: int) -> None:
        super().__init__()
        self.input = nn.Conv2d(n_harmonics, channels[0], 3, padding=1)
        self.input_norm = FrameNorm(channels[0], bins[0])
        self.levels = nn.ModuleList(
            EncoderLevel(c, c_next, n_next)
            for (c, c_next), n_next in zip(pairwise(channels), bins[1:], strict=True)
        )
        self.latent = FramesToLatent(channels[-1], latent, (1, bins[-1]))
        self.latent_norm = FrameNorm(latent, 1, elu=False)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        x = self.input_norm(self.input(x))
        outputs = [x]
        for level in self.levels:
            x = level(x)
            outputs.append(x)
        return self.latent_norm(self.latent(x)), outputs


class Decoder(nn.Module):
    """Half from the latent (B, D, T, 1) to logits (B, 1, T, F)."""

    def __init__(self, channels: list[int], bins: list[int], latent: int) -> None:
        super().__init__()
        self.input = LatentToFrames(latent, channels[-1], (1, bins[-1]))
        self.input_norm = FrameNorm(channels[-1], bins[-1])
        down = zip(pairwise(channels[::-1]), pairwise(bins[::-1]), strict=True)
        self.levels = nn.ModuleList(DecoderLevel(c, c_next, n, m) for (c, c_next), (n, m) in down)
        self.output = nn.Conv2d(channels[0], 1, 3, padding=1)

    def forward(self, latent: Tensor, skips: list[Tensor] | None = None) -> Tensor:
        x = self.input_norm(self.input(latent))
        for number, level in enumerate(self.levels):
            if skips is not None:
                x = x + skips[-1 - number]
            x = level(x)
        if skips is not None:
            x = x + skips[0]
        logits: Tensor = self.output(x)
        return logits


class EncoderLevel(nn.Module):
    """Three dilated residual blocks, then half the frequency resolution."""

    def __init__(self, c: int, c_next: int, n_next: int) -> None:
        super().__init__()
        self.residuals = nn.Sequential(*(ResidualBlock(c, d) for d in DILATIONS))
        self.down = nn.Conv2d(c, c_next, (1, 4), stride=(1, 2))
        self.norm = FrameNorm(c_next, n_next)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.norm(self.down(self.residuals(x)))
        return out


class DecoderLevel(nn.Module):
    """Twice the frequency resolution (from n to m rows), then three dilated residual blocks."""

    def __init__(self, c: int, c_next: int, n: int, m: int) -> None:
        super().__init__()
        missing = m - ((n - 1) * 2 + 4)
        self.up = Upsampling(c, c_next, missing)
        self.norm = FrameNorm(c_next, m)
        self.residuals = nn.Sequential(*(ResidualBlock(c_next, d) for d in DILATIONS))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.residuals(self.norm(self.up(x)))
        return out
