"""Audio files, read as mono samples at one sample rate."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from types import TracebackType

import numpy as np
import soundfile

from ssmpe.data.files.parsing import require_regular
from ssmpe.data.files.resampling import Samples, resampled
from ssmpe.errors import DataError

_BLOCK_FRAMES = 1 << 18
"""Frames decoded at a time; the block lies in memory beside the result"""
_BLOCK_VALUES = 1 << 21
"""Samples decoded at a time at most: of many channels, fewer frames are"""
_EXACT_CHANNELS = 1 << 8
"""Channels of 16 bits whose sum a float32, of 24 bits, holds exactly"""

MAX_SECONDS = 24 * 3600.0
"""Longest audio that is read: a few bytes of FLAC can be hours of silence and fill the disk"""
_LOWEST_RATE, _HIGHEST_RATE = 1_000, 1_000_000
"""Hz; outside, the header is damaged, and to resample by such a ratio exhausts the memory"""
_SLIP, _MPEG_SLIP = 0.01, 0.5
"""Seconds that may be missing at the end, in general and of MPEG files

Writers count header bytes, and the delay of their encoder, as audio.
"""

_CHUNK = re.compile(r"(?:data|SSND|Data Size)\s*: (\d+) \(should be (\d+)\)")
"""Line of libsndfile's log on a chunk of samples that is cut short: size by header, and by file

(It then goes by the file, and says nothing else.)
"""
_UNKNOWN_SIZES = (2**31 - 1, 2**32 - 1)
"""Sizes in bytes (or a little less) that programs write when they do not know what will follow"""

_MPEG_TAGS = (b"Xing", b"Info", b"VBRI")


class AudioFile:
    """Open audio file, or the sum of several; to be used in a ``with`` statement.

    Attributes:
        path: of the file, or of the first.
        sample_rate: of the file, in Hz.
        frames: number of samples of each channel that the header promises; of the longest file.

    Raises:
        DataError: from every method, if a file is unreadable, empty, truncated, has values that
            are not finite, or lasts longer than ``MAX_SECONDS`` by its header; or if the sample
            rates of several differ.
    """

    def __init__(self, path: Path, *others: Path) -> None:
        self.path = path
        self._files: dict[Path, soundfile.SoundFile] = {}
        try:
            for source in (path, *others):
                with _told(source):
                    self._files[source] = _opened(source)
            self._check_headers()
        except DataError:
            self._close()
            raise

    def _check_headers(self) -> None:
        self.sample_rate: int = self._files[self.path].samplerate
        self.frames = max(map(_promised_frames, self._files.values()))
        for path, file in self._files.items():
            if file.samplerate != self.sample_rate:
                raise DataError(
                    f"{path}: its sample rate, {file.samplerate} Hz, is not that of "
                    f"{self.path.name}, {self.sample_rate} Hz; they cannot be mixed"
                )
        if self.seconds > MAX_SECONDS:
            path = max(self._files, key=lambda path: _promised_frames(self._files[path]))
            raise DataError(
                f"{path}: audio claims to last {self.seconds / 3600:.0f} hours, and no more than "
                f"{MAX_SECONDS / 3600:.0f} are read"
            )

    def __enter__(self) -> "AudioFile":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close()

    def _close(self) -> None:
        for file in self._files.values():
            file.close()

    @property
    def seconds(self) -> float:
        """Duration by the header, in seconds."""
        return self.frames / self.sample_rate

    def n_samples(self, sample_rate: int) -> int:
        """Return the length at another sample rate, by the header."""
        return -(-self.frames * sample_rate // self.sample_rate)

    def blocks(self, sample_rate: int) -> Iterator[Samples]:
        """Read the whole file once: mono, resampled, as loud as it was recorded."""
        if not _LOWEST_RATE <= self.sample_rate <= _HIGHEST_RATE:
            raise DataError(f"{self.path}: audio claims a sample rate of {self.sample_rate} Hz")
        files = self._files.values()
        n = min(_BLOCK_FRAMES, *(_BLOCK_VALUES // file.channels for file in files))
        single = all(file.frames <= n for file in files)
        blocks = _mixed([self._mono(path, n) for path in self._files])
        for block in resampled(blocks, self.sample_rate, sample_rate, single=single):
            if not np.isfinite(block).all():
                raise self._too_large()
            yield block

    def _too_large(self) -> DataError:
        return DataError(f"{self.path}: audio has samples too large to be mixed or resampled")

    def mono(self, sample_rate: int) -> Samples:
        """Read the whole file as ``blocks`` does, in one piece."""
        samples = np.empty(0, np.float32)
        for block in self.blocks(sample_rate):
            n = len(samples)
            # grown in place, which moves no memory where there is much of it
            samples.resize(n + len(block), refcheck=False)
            samples[n:] = block
        return samples

    def track(self, sample_rate: int, start: float = 0.0, seconds: float | None = None) -> Samples:
        """Read a track as ``read_audio`` does."""
        samples = self.mono(sample_rate)
        peak = peak_of(samples)
        first, stop = self.stretch(len(samples), sample_rate, start, seconds)
        if stop - first < len(samples):
            samples = samples[first:stop].copy()
        if peak > 0:
            samples /= peak
        return samples

    def stretch(
        self, n_samples: int, sample_rate: int, start: float, seconds: float | None
    ) -> tuple[int, int]:
        """Return first sample, and that behind the last, of a stretch of the file's ``n_samples``.

        Raises:
            DataError: the file ends before the stretch begins.
        """
        first = round(start * sample_rate)
        if first >= n_samples:
            raise DataError(
                f"{self.path}: audio ends after {n_samples / sample_rate:.2f} s, before the track "
                f"that begins at {start:g} s"
            )
        if seconds is None:
            return first, n_samples
        return first, min(first + max(1, round(seconds * sample_rate)), n_samples)

    def _mono(self, path: Path, n: int) -> Iterator[Samples]:
        """Read mono blocks of ``n`` frames of one file at its own rate."""
        file = self._files[path]
        dtype, full_scale = _stored(file)
        n_read = 0
        while n_read < file.frames:
            with _told(path):
                block = file.read(n, dtype=dtype, always_2d=True)
            if not len(block):
                break
            n_read += len(block)
            # channel by channel: NumPy's mean over so short an axis takes ten times as long
            mono = block[:, 0].astype(np.float32)
            with np.errstate(over="ignore", invalid="ignore"):
                for channel in block.T[1:]:
                    mono += channel
            # of samples that are not finite no sum is
            if dtype == "float32" and not np.isfinite(mono).all():
                if np.isfinite(block).all():
                    raise self._too_large()
                raise DataError(f"{path}: audio has samples that are NaN or infinite")
            mono /= np.float32(full_scale * block.shape[1])
            yield mono
        with _told(path):
            _check_length(path, file, n_read)


def duration(path: Path) -> float:
    """Return the duration of an audio file in seconds, from its header.

    Raises:
        DataError: the file is unreadable.
    """
    with AudioFile(path) as file:
        return file.seconds


def read_audio(
    path: Path, sample_rate: int, start: float = 0.0, seconds: float | None = None
) -> Samples:
    """Read a track: mean over channels, resampled, divided by its peak unless it is silent.

    Args:
        sample_rate: wanted, in Hz.
        start, seconds: the stretch of the file to return, in seconds, None: to its end. The peak
            is that of the whole file.

    Returns:
        (N,) float32 in [-1, 1]; of a whole file N = ceil(duration · sample_rate) ≥ 1.

    Raises:
        DataError: the file is unreadable, empty, truncated, or has values that are not finite; or
            it ends before the stretch begins.
    """
    with AudioFile(path) as file:
        return file.track(sample_rate, start, seconds)


def peak_of(samples: Samples) -> np.float32:
    """Return the largest absolute value; 0 of no samples."""
    return max(samples.max(initial=0), -samples.min(initial=0))


def _mixed(streams: Sequence[Iterator[Samples]]) -> Iterator[Samples]:
    """Add streams of equally long blocks; those that end early are silent from there on."""
    if len(streams) == 1:
        yield from streams[0]
        return
    for blocks in zip_longest(*streams, fillvalue=np.empty(0, np.float32)):
        mixture = np.zeros(max(map(len, blocks)), np.float32)
        with np.errstate(over="ignore"):
            for block in blocks:
                mixture[: len(block)] += block
        yield mixture


def _promised_frames(file: soundfile.SoundFile) -> int:
    """Return the number of samples of each channel that the header of an open file promises."""
    frames: int = file.frames
    if cut := _CHUNK.search(file.extra_info):
        by_header, by_file = int(cut[1]), int(cut[2])
        unknown = any(0 <= size - by_header < 1 << 16 for size in _UNKNOWN_SIZES)
        if by_file and not unknown:
            return frames * by_header // by_file
    return frames


def _check_length(path: Path, file: soundfile.SoundFile, n_read: int) -> None:
    """Check that a file that was read to its end held what its header promises.

    Raises:
        DataError: it is empty or truncated.
        OSError: it cannot be read again.
    """
    if not n_read:
        raise DataError(f"{path}: audio is empty (0 samples)")
    promised = _promised_frames(file)
    is_mpeg = file.format == "MP3"
    if (promised - n_read) / file.samplerate <= (_MPEG_SLIP if is_mpeg else _SLIP):
        return
    if not is_mpeg or _tells_length(path):
        raise DataError(
            f"{path}: audio is truncated: {n_read / file.samplerate:.2f} of "
            f"{promised / file.samplerate:.2f} s are there"
        )


def _tells_length(path: Path) -> bool:
    """Tell whether a tag in the first frame of an MPEG file gives the number of frames.

    Without such a tag, decoders guess it from the first frame's bit rate.
    """
    with path.open("rb") as file:
        head = file.read(10)
        if head[:3] == b"ID3":
            # size of the ID3v2 tag: four bytes of seven bits
            file.seek(10 + sum((byte & 0x7F) << 7 * (3 - i) for i, byte in enumerate(head[6:])))
            head = b""
        first_frame = head + file.read(2048)
    return any(tag in first_frame for tag in _MPEG_TAGS)


def _opened(path: Path) -> soundfile.SoundFile:
    require_regular(path)
    try:
        # as bytes: names need not be valid in any encoding
        return soundfile.SoundFile(os.fsencode(path))
    except soundfile.LibsndfileError:
        # without its name: a copy ``._X`` that macOS left beside X is taken for a part of X
        return soundfile.SoundFile(os.open(path, os.O_RDONLY))


def _stored(file: soundfile.SoundFile) -> tuple[str, int]:
    """Return the type to read an open file as, and the number that is full scale then.

    Whole numbers of 16 bits, and sums of a few of them, are floating-point numbers, too. So they
    can be scaled afterwards; the library would take several times as long to do it.
    """
    exact = file.subtype == "PCM_16" and file.channels <= _EXACT_CHANNELS
    return ("int16", 1 << 15) if exact else ("float32", 1)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn errors of the library into errors that say which file it is, and why."""
    try:
        yield
    except (soundfile.SoundFileError, OSError) as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> DataError:
    try:
        require_regular(path)
        with path.open("rb"):
            size = path.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return DataError(f"{path}: no such audio file")
    except IsADirectoryError:
        return DataError(f"{path}: a folder, not an audio file")
    except OSError as refused:
        return DataError(f"{path}: audio cannot be read ({refused.strerror})")
    if size == 0:
        return DataError(f"{path}: audio file is empty (0 bytes)")
    # without the path, which the library quotes as well
    reason = getattr(error, "error_string", str(error)).rstrip(".")
    if "does not exist" in reason:  # which it says of an MPEG file without a single frame
        reason = "no known audio format"
    return DataError(f"{path}: audio cannot be read ({reason})")
