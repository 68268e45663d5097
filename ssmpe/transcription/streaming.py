"""Salience of recordings of any length in constant memory.

Features are relative to the recording's peak, and decibels to the largest magnitude of its whole
HCQT. So the file is decoded three times: for the peak, for the largest magnitude, and for the
salience, which is cheap beside the network. Blocks and chunks are those of a track that is in
memory as a whole, and so are the numbers.
"""

import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ssmpe import units
from ssmpe.data.files.audio import AudioFile, peak_of
from ssmpe.data.files.resampling import Samples
from ssmpe.errors import DataError
from ssmpe.evaluation.inference import chunk_salience, chunks
from ssmpe.network.model import Autoencoder
from ssmpe.signal.features import first_harmonic, scaled_decibels
from ssmpe.signal.hcqt import HCQT

Progress = Callable[[str, int, int], None]
"""Callback that is told what is being done, and the seconds of audio done and in all"""


@dataclass(frozen=True)
class Piece:
    """Consecutive frames of a recording.

    Attributes:
        start: number of the first frame.
        salience: (F, t) on the CPU.
        features: first harmonic (F, t) on the CPU.
    """

    start: int
    salience: Tensor
    features: Tensor


class Recording:
    """An audio file whose salience is computed piece by piece.

    Attributes:
        n_samples: at the sample rate of the geometry.
        n_frames: of the features and the salience.

    Raises:
        DataError: the file is a pipe or a device, unreadable, empty, truncated, or has values that
            are not finite.
    """

    def __init__(self, path: Path, hcqt: HCQT, device: str, progress: Progress) -> None:
        if os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path)):
            raise DataError(f"{path}: is no regular file, and is to be read three times")
        self._path, self._hcqt, self._device, self._progress = path, hcqt, device, progress
        self._geometry = hcqt.geometry
        self._peak = np.float32(0)
        self.n_samples = 0
        with AudioFile(path) as file:
            promised = file.n_samples(self._geometry.sample_rate)
            for block in file.blocks(self._geometry.sample_rate):
                self._peak = max(self._peak, peak_of(block))
                self.n_samples += len(block)
                self._tell("reading", self.n_samples, max(promised, self.n_samples))
        self.n_frames = units.n_frames(self.n_samples, self._geometry.hop_length)

    @property
    def seconds(self) -> float:
        """Duration."""
        return self.n_samples / self._geometry.sample_rate

    @torch.no_grad()
    def pieces(self, network: Autoencoder) -> Iterator[Piece]:
        """Yield the salience that a network in evaluation mode gives, first frame to last.

        Together the pieces are ``salience(network, track_features(...))`` of the whole.
        """
        features = self.features()
        held, first = next(features), 0
        for chunk in chunks(self.n_frames):
            held, first = held[..., chunk.left - first :], chunk.left
            while first + held.shape[-1] < chunk.right:
                held = torch.cat([held, next(features)], dim=-1)
            window = self._hcqt.gather(held[..., : chunk.right - chunk.left])
            shown = first_harmonic(window, self._geometry)[0, :, chunk.start - chunk.left :]
            estimate = chunk_salience(network, window, chunk)[0]
            yield Piece(chunk.start, estimate.cpu(), shown[:, : estimate.shape[-1]].cpu())
            self._tell("transcribing", chunk.stop * self._geometry.hop_length, self.n_samples)

    @torch.no_grad()
    def features(self) -> Iterator[Tensor]:
        """Yield features (1, K, t) of the distinct bins, from which channels are gathered."""
        largest = self._largest()
        for bins in self._bins():
            yield scaled_decibels(bins, largest)

    def _largest(self) -> Tensor:
        """Measure the largest magnitude (1,) of the whole HCQT."""
        largest = torch.zeros(1, device=self._device)
        n_done = 0
        for bins in self._bins():
            largest = torch.maximum(largest, bins.abs().amax())
            n_done += bins.shape[-1] * self._geometry.hop_length
            self._tell("measuring", n_done, self.n_samples)
        return largest

    def _bins(self) -> Iterator[Tensor]:
        """Yield distinct complex bins (1, K, t) of the HCQT, as ``HCQT.distinct`` has them."""
        transform, n_left = self._hcqt, self.n_frames
        overlapping = not transform.takes_at_once(self.n_frames)
        for samples in self._blocks():
            bins = transform.piece(torch.from_numpy(samples)[None].to(self._device))
            if overlapping:
                bins = bins[..., transform.margin : transform.margin + transform.step]
            yield bins[..., :n_left]
            n_left -= transform.step

    def _blocks(self) -> Iterator[Samples]:
        """Yield what each transform takes: (block * hop,) samples that overlap, or all if few."""
        hop = self._geometry.hop_length
        decoded = self._normalised()
        if self._hcqt.takes_at_once(self.n_frames):
            yield np.concatenate([*decoded])
            return
        length, step = self._hcqt.block * hop, self._hcqt.step * hop
        held = np.zeros(self._hcqt.margin * hop, np.float32)
        for _ in range(math.ceil(self.n_frames / self._hcqt.step)):
            while len(held) < length:
                block = next(decoded, None)
                if block is None:
                    block = np.zeros(length - len(held), np.float32)
                held = np.concatenate([held, block])
            yield held[:length]
            held = held[step:]

    def _normalised(self) -> Iterator[Samples]:
        """Yield the recording in blocks, divided by its peak unless it is silent."""
        with AudioFile(self._path) as file:
            for block in file.blocks(self._geometry.sample_rate):
                yield block / self._peak if self._peak > 0 else block

    def _tell(self, what: str, n_done: int, n_samples: int) -> None:
        rate = self._geometry.sample_rate
        total = math.ceil(n_samples / rate)
        self._progress(what, min(math.ceil(n_done / rate), total), total)
