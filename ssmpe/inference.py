"""Features and salience of whole tracks, in pieces of bounded size."""

import torch
from torch import Tensor

from ssmpe.features import scaled_decibels
from ssmpe.hcqt import HCQT
from ssmpe.model import DILATIONS, N_LEVELS, Autoencoder

CHUNK_FRAMES = 1024
CONTEXT_FRAMES = 2 + 2 * N_LEVELS * sum(DILATIONS)
"""frames to either side that an output frame depends on: half the receptive field"""


@torch.no_grad()
def track_features(audio: Tensor, hcqt: HCQT) -> Tensor:
    """Audio (1, 1, N) of a whole track to features (1, H, F, T); decibels are the track's own."""
    return hcqt.gather(scaled_decibels(hcqt.distinct(audio)))


@torch.no_grad()
def salience(network: Autoencoder, features: Tensor) -> Tensor:
    """Features (1, H, F, T) of a track to its salience (F, T), float32.

    Long tracks run through the network in chunks with as much context as the receptive field
    reaches, so that the result is that of the whole.
    """
    n_frames = features.shape[-1]
    pieces = []
    for start in range(0, n_frames, CHUNK_FRAMES):
        stop = min(start + CHUNK_FRAMES, n_frames)
        left, right = max(0, start - CONTEXT_FRAMES), min(n_frames, stop + CONTEXT_FRAMES)
        # in full precision: rounded, neighbouring bins tie, and a tie is no peak
        logits = network(features[..., left:right])
        pieces.append(torch.sigmoid(logits[0, :, start - left : stop - left]))
    return torch.cat(pieces, dim=-1)
