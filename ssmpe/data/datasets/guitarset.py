"""GuitarSet: acoustic guitar, six players, annotated string by string (evaluation).

Neither this dataset nor MAESTRO nor MedleyDB is read by way of ``mirdata``: it downloads its index
of a dataset when it is run, knows MAESTRO only up to version 2 and of MedleyDB the subsets with
melody or pitch, refuses copies that are not complete, so also a user's own recording in a
dataset's layout, and brings along librosa, pandas, h5py and clients of cloud storage.
"""

from pathlib import Path
from typing import ClassVar

from ssmpe.data.datasets import listing
from ssmpe.data.datasets.dataset import Dataset, Option, Source, Track
from ssmpe.data.files.annotation import Annotation
from ssmpe.data.files.jams import read_pitch_contours

PLAYERS = ("00", "01", "02", "03", "04", "05")
LATE_BY = {"04_BN3-154-E_comp": 0.409, "04_Jazz1-200-B_comp": 0.309}
"""Seconds by which the published annotations of two tracks lag their audio (the dataset's issue
5: they start with the second note); published results leave them as they are"""

HOP = 256 / 44_100
"""Seconds between observations"""


class GuitarSet(Dataset):
    """Microphone recordings; the annotation is the union of the six strings' pitch contours.

    The splits are the six players, of whom "05" is published as the one that validation curves are
    drawn for, "00-04" the other five, and "all"; they have the tracks that are there. Voiced
    observations are put at the nearest frame of a grid of 256 samples at 44.1 kHz; the time that
    JAMS gives an annotation as a whole is ignored. Two tracks are annotated late, see ``options``.
    """

    name: str = "GuitarSet"
    splits: ClassVar[tuple[str, ...]] = (*PLAYERS, "00-04", "all")
    layout: ClassVar[str] = "audio_mono-mic/T_mic.wav, annotation/T.jams"

    source: ClassVar[Source] = Source(
        url="https://zenodo.org/records/3371780",
        size="0.7 GB (audio_mono-mic.zip, annotation.zip)",
        licence="CC BY 4.0",
        unpack="unzip audio_mono-mic.zip -d GuitarSet/audio_mono-mic; "
        "unzip annotation.zip -d GuitarSet/annotation",
    )
    options: ClassVar[dict[str, Option]] = {
        "correct_late": Option(
            False, "move the annotations of two tracks that lag their audio to where they belong"
        )
    }

    def __init__(self, folder: Path, *, correct_late: bool = False) -> None:
        """Open the dataset; ``correct_late`` moves the annotations of ``LATE_BY`` into place."""
        super().__init__(folder)
        self.late_by = LATE_BY if correct_late else {}

    def _tracks(self, split: str) -> list[Track]:
        audio, annotation = self.folder / "audio_mono-mic", self.folder / "annotation"
        self._require(audio)
        self._require(annotation)
        names = {n.removesuffix("_mic.wav") for n in listing.names_in(audio) if n.endswith(".wav")}
        names |= {
            n.removesuffix(".jams") for n in listing.names_in(annotation) if n.endswith(".jams")
        }
        players = {"all": PLAYERS, "00-04": PLAYERS[:-1]}.get(split, (split,))
        names = {name for name in names if name.split("_")[0] in players}
        return [self._track(listing.readable(n), audio / f"{n}_mic.wav") for n in names]

    def files(self, track: Track) -> list[Path]:
        """Return the recording and the annotation."""
        return [track.audio, self._jams_path(track)]

    def _jams_path(self, track: Track) -> Path:
        return self.folder / "annotation" / f"{track.audio.name.removesuffix('_mic.wav')}.jams"

    def _annotation(self, track: Track) -> Annotation:
        return read_pitch_contours(self._jams_path(track), HOP, self.late_by.get(track.name, 0.0))
