"""Features and salience of whole tracks, in pieces of bounded size."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from ssmpe.network.baselines import SignalAlone
from ssmpe.network.model import DILATIONS, N_LEVELS, Autoencoder
from ssmpe.signal.features import scaled_decibels
from ssmpe.signal.hcqt import HCQT

CHUNK_FRAMES = 1024
CONTEXT_FRAMES = 2 + 2 * N_LEVELS * sum(DILATIONS)
"""Frames to either side that an output frame depends on: half the receptive field"""


@torch.no_grad()
def track_features(audio: Tensor, hcqt: HCQT) -> Tensor:
    """Compute features (1, H, F, T) of a track's audio (1, 1, N); decibels are the track's own."""
    return hcqt.gather(scaled_decibels(hcqt.distinct(audio)))


class Chunk(NamedTuple):
    """Frames ``start`` to ``stop`` of a track, and what they are computed from: left to right."""

    left: int
    start: int
    stop: int
    right: int


def chunks(n_frames: int) -> Iterator[Chunk]:
    """Divide a track into chunks, with as much context as the receptive field reaches."""
    for start in range(0, n_frames, CHUNK_FRAMES):
        stop = min(start + CHUNK_FRAMES, n_frames)
        yield Chunk(
            max(0, start - CONTEXT_FRAMES), start, stop, min(n_frames, stop + CONTEXT_FRAMES)
        )


@torch.no_grad()
def chunk_salience(network: Autoencoder, features: Tensor, chunk: Chunk) -> Tensor:
    """Compute a chunk's salience (B, F, stop - start), float32.

    Args:
        features: (B, H, F, right - left).
    """
    # in full precision: rounded, neighbouring bins tie, and a tie is no peak
    logits = network.used(features)
    return torch.sigmoid(logits[..., chunk.start - chunk.left : chunk.stop - chunk.left])


def salience(network: Autoencoder, features: Tensor) -> Tensor:
    """Compute the salience (F, T), float32, of a track's features (1, H, F, T)."""
    return saliences(network, features)[0]


def saliences(network: Autoencoder, features: Tensor) -> Tensor:
    """Compute the saliences (B, F, T), float32, of equally long tracks.

    Long tracks run through the network in chunks; the result is that of the whole. Without a
    network, they are taken as a whole.

    Args:
        features: (B, H, F, T).
    """
    if isinstance(network, SignalAlone):
        return torch.sigmoid(network.used(features))
    pieces = [
        chunk_salience(network, features[..., chunk.left : chunk.right], chunk)
        for chunk in chunks(features.shape[-1])
    ]
    return torch.cat(pieces, dim=-1)
