"""Harmonic variable-Q transform of audio, evaluated in the frequency domain.

Frame t of bin k is the inner product of the audio around sample ``t * hop_length`` with a kernel.
All frames of a bin are one correlation, a product of spectra; and reading it every ``hop_length``
samples folds that spectrum into ``hop_length`` blocks that are summed. A kernel fills few of the
blocks, so a batch of products of small matrices, over the blocks that matter, and one short
inverse transform per bin give all frames at once.
"""

import math
from functools import lru_cache
from itertools import pairwise

import numpy as np
import torch
from scipy.fft import next_fast_len
from torch import Tensor, nn

from ssmpe import units
from ssmpe.config import GeometryConfig
from ssmpe.signal.kernels import Kernels, make_kernels

LEAKAGE = 1e-9
"""Share of a kernel's energy that may lie outside the blocks kept: -90 dB, below the 80 dB that the
features resolve."""
GROUP = 24
"""Number of kernels that are multiplied together. They share the union of their blocks: few enough
that it stays tight, enough for products of matrices that are worth a call."""


@lru_cache(maxsize=1)
def shared_hcqt(geometry: GeometryConfig, device: str) -> "HCQT":
    """Return the HCQT on a device, which all trials of a process share; nobody may change it."""
    return HCQT(geometry).to(device)


class HCQT(nn.Module):
    """Complex harmonic transform of audio; that of a mixture is the sum of its parts' transforms.

    Bins above Nyquist are 0 (the published program lets them alias). Harmonics have most bins in
    common: ``distinct`` computes each once, ``gather`` puts them where the channels have them. ::

        geometry = GeometryConfig(hop_length=1024, n_bins=176, bins_per_octave=24)
        hcqt = HCQT(geometry)  # takes a second
        audio = torch.randn(2, 1, 22050)  # (B, 1, N): a second at the grid's own sample rate
        hcqt(audio)  # (2, 6, 176, 22) complex64: (B, H, F, T), T = 1 + N // hop_length
        bins = hcqt.distinct(audio)  # (2, 554, 22): (B, K, T), K about half of H F
        features = hcqt.gather(scaled_decibels(bins))  # (2, 6, 176, 22) in [0, 1]

    Args:
        geometry: the time-frequency grid.
        block_frames: frames computed by one transform; longer audio is cut into overlapping
            blocks. Default: one training excerpt.
    """

    index: Tensor

    def __init__(self, geometry: GeometryConfig, block_frames: int | None = None) -> None:
        super().__init__()
        self.geometry = geometry
        kernels = make_kernels(geometry)
        half = kernels.taps.shape[1] // 2
        longest = int(kernels.lengths.max())
        self.margin = math.ceil(longest / 2 / geometry.hop_length)
        """Number of frames at either end of a transform that its circular nature spoils."""
        frames = block_frames or geometry.excerpt_frames
        self.block = next_fast_len(frames + self.margin, real=False)
        """Number of frames of one transform, spoilt ones included."""
        self.step = self.block - 2 * self.margin
        """Number of frames that one transform adds to long audio."""
        index = np.where(kernels.index < 0, len(kernels.taps), kernels.index)
        self.register_buffer("index", torch.from_numpy(index), persistent=False)
        self.groups = _Groups(kernels, half, geometry.hop_length, self.block)

    def forward(self, audio: Tensor) -> Tensor:
        """Return the complex HCQT (B, H, F, T) of audio (B, 1, N); T = 1 + N // hop_length."""
        return self.gather(self.distinct(audio))

    def gather(self, bins: Tensor) -> Tensor:
        """Spread distinct bins (B, K, T), or what is made of them, over channels (B, H, F, T)."""
        padded = nn.functional.pad(bins, (0, 0, 0, 1))  # the 0 that bins above Nyquist use
        return padded[:, self.index]

    def distinct(self, audio: Tensor) -> Tensor:
        """Return the distinct bins (B, K, T) of audio (B, 1, N), of which channels are gathered."""
        with torch.autocast(audio.device.type, enabled=False):
            samples = audio[:, 0].float()
            n_frames = units.n_frames(samples.shape[-1], self.geometry.hop_length)
            if self.takes_at_once(n_frames):
                return self.piece(samples)[..., :n_frames]
            return self._long(samples, n_frames)

    def takes_at_once(self, n_frames: int) -> bool:
        """Tell whether audio of so many frames is short enough for one transform."""
        return n_frames + self.margin <= self.block

    def piece(self, samples: Tensor) -> Tensor:
        """Transform samples (B, at most block * hop) to bins (B, K, block), circular in time.

        Of longer audio, the first and last ``margin`` frames of a piece are spoilt.
        """
        hop = self.geometry.hop_length
        spectrum = torch.fft.fft(samples, n=self.block * hop)
        folded = self.groups(spectrum.view(-1, hop, self.block))
        return torch.fft.ifft(folded, dim=0).permute(1, 2, 0)

    def _long(self, samples: Tensor, n_frames: int) -> Tensor:
        hop = self.geometry.hop_length
        n_pieces = math.ceil(n_frames / self.step)
        before = self.margin * hop
        after = max(0, ((n_pieces - 1) * self.step + self.block) * hop - before - samples.shape[-1])
        padded = nn.functional.pad(samples, (before, after))
        out = []
        for start in range(0, n_pieces * self.step, self.step):
            piece = self.piece(padded[:, start * hop : (start + self.block) * hop])
            out.append(piece[..., self.margin : self.margin + self.step])
        return torch.cat(out, dim=-1)[..., :n_frames]


class _Groups(nn.Module):
    """Spectra of the kernels: for each group of neighbours, the blocks that matter."""

    def __init__(self, kernels: Kernels, half: int, hop: int, block: int) -> None:
        super().__init__()
        self.hop, self.block, self.n_bins = hop, block, len(kernels.taps)
        self.spans: list[tuple[int, int, int, int]] = []
        bounds = [*range(0, self.n_bins, GROUP), self.n_bins]
        for number, (first, last) in enumerate(pairwise(bounds)):
            spectra = _kernel_spectra(kernels.taps[first:last], half, hop * block)
            blocks = spectra.reshape(last - first, hop, block)
            low, high = _significant_blocks(blocks)
            self.spans.append((first, last, low, high))
            rows = np.arange(low, high) % hop
            # (block, rows, kernels): one small matrix for every folded frequency
            matrix = np.ascontiguousarray(blocks[:, rows].transpose(2, 1, 0)) / hop
            tensor = torch.from_numpy(matrix.astype(np.complex64))
            self.register_buffer(f"matrix_{number}", tensor, persistent=False)

    def forward(self, spectrum: Tensor) -> Tensor:
        """Return the folded spectra (block, B, K) of the bins, from the audio's (B, hop, block)."""
        rows = spectrum.permute(2, 0, 1).contiguous()
        # negative block numbers (a kernel that reaches below 0 Hz) are the last blocks
        lowest = min(low for _, _, low, _ in self.spans)
        highest = max(high for _, _, _, high in self.spans)
        wrapped = torch.cat([rows[..., lowest:], rows], dim=-1) if lowest < 0 else rows
        if highest > self.hop:
            wrapped = torch.cat([wrapped, rows[..., : highest - self.hop]], dim=-1)
        shift = min(lowest, 0)
        out = rows.new_empty(self.block, rows.shape[1], self.n_bins)
        for number, (first, last, low, high) in enumerate(self.spans):
            matrix = getattr(self, f"matrix_{number}")
            out[..., first:last] = torch.bmm(wrapped[..., low - shift : high - shift], matrix)
        return out


def _kernel_spectra(taps: np.ndarray, half: int, n: int) -> np.ndarray:
    """Return conjugate spectra (K, n) of kernels (K, L) whose middle is moved to sample 0."""
    rolled = np.zeros((len(taps), n), dtype=np.complex64)
    rolled[:, : taps.shape[1] - half] = taps[:, half:]
    rolled[:, n - half :] = taps[:, :half]
    return np.asarray(np.fft.fft(rolled, axis=1).conj())


def _significant_blocks(blocks: np.ndarray) -> tuple[int, int]:
    """Return the run of blocks [low, high) outside which all of (K, hop, block) have little energy.

    Runs are contiguous around the circle of ``hop`` blocks; ``low`` may be negative.
    """
    hop = blocks.shape[1]
    energy = (np.abs(blocks) ** 2).sum(axis=2)
    energy /= energy.sum(axis=1, keepdims=True)
    peak = int(energy.sum(axis=0).argmax())
    # numbered from the opposite side of the circle, the run does not wrap
    centred = np.roll(energy, hop // 2 - peak, axis=1)
    outside_low = np.cumsum(centred, axis=1).max(axis=0)
    outside_high = np.cumsum(centred[:, ::-1], axis=1).max(axis=0)[::-1]
    low = int(np.searchsorted(outside_low, LEAKAGE / 2))
    high = hop - int(np.searchsorted(outside_high[::-1], LEAKAGE / 2))
    offset = peak - hop // 2
    return low + offset, high + offset
