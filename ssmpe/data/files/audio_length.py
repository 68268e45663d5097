"""How much audio a file's header promises, and whether that is there."""

import re
from pathlib import Path

import soundfile

from ssmpe.errors import DataError

_SLIP, _MPEG_SLIP = 0.01, 0.5
"""Seconds that may be missing: writers count header bytes as audio, and encoders' delays"""

_CHUNK = re.compile(r"(?:data|SSND|Data Size)\s*: (\d+) \(should be (\d+)\)")
"""What libsndfile's log says of a chunk of samples that is cut short: its size by the header, by
the file. (It then goes by the file, and says nothing else.)"""
_UNKNOWN_SIZES = (2**31 - 1, 2**32 - 1)
"""Bytes, or a little less: what programs write that do not know how much will follow"""

_MPEG_TAGS = (b"Xing", b"Info", b"VBRI")


def promised_frames(file: soundfile.SoundFile) -> int:
    """Samples of each channel that the header of an open file promises."""
    frames: int = file.frames
    if cut := _CHUNK.search(file.extra_info):
        by_header, by_file = int(cut[1]), int(cut[2])
        unknown = any(0 <= size - by_header < 1 << 16 for size in _UNKNOWN_SIZES)
        if by_file and not unknown:
            return frames * by_header // by_file
    return frames


def check_length(path: Path, file: soundfile.SoundFile, n_read: int) -> None:
    """Check that a file that was read to its end held what its header promises.

    Raises:
        DataError: it is empty or truncated.
        OSError: it cannot be read again.
    """
    if not n_read:
        raise DataError(f"{path}: audio is empty (0 samples)")
    promised = promised_frames(file)
    is_mpeg = file.format == "MP3"
    if (promised - n_read) / file.samplerate <= (_MPEG_SLIP if is_mpeg else _SLIP):
        return
    if not is_mpeg or _tells_length(path):
        raise DataError(
            f"{path}: audio is truncated: {n_read / file.samplerate:.2f} of "
            f"{promised / file.samplerate:.2f} s are there"
        )


def _tells_length(path: Path) -> bool:
    """Whether a tag in the first frame of an MPEG file gives the number of frames.

    Without one decoders guess it from the first frame's bit rate.
    """
    with path.open("rb") as file:
        head = file.read(10)
        if head[:3] == b"ID3":
            # size of the ID3v2 tag: four bytes of seven bits
            file.seek(10 + sum((byte & 0x7F) << 7 * (3 - i) for i, byte in enumerate(head[6:])))
            head = b""
        first_frame = head + file.read(2048)
    return any(tag in first_frame for tag in _MPEG_TAGS)
