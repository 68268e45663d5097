"""Bands that play the popular music of the unlabelled sets, by genre."""

from dataclasses import dataclass
from typing import Literal

from ssmpe.world.sound.drums import CRASH, HAT, KICK, OPEN_HAT, PATTERNS, SNARE, Pattern

Comping = Literal["pad", "strum", "stabs", "quarters", "arpeggio"]
BassLine = Literal["roots", "long", "syncopated", "walking"]

DANCE: Pattern = {KICK: (0, 4, 8, 12), OPEN_HAT: (2, 6, 10, 14), SNARE: (4, 12)}
PUNK: Pattern = {KICK: (0, 2, 8, 10), SNARE: (4, 12), HAT: tuple(range(0, 16, 2)), CRASH: (0,)}


@dataclass(frozen=True)
class Band:
    """Players of a song, one of each tuple of instruments; an empty tuple stands for none.

    Attributes:
        tempo: least and most quarter notes per minute.
        drums: pattern of a bar, or None for a band without a drummer; ``kits`` of bank 128.
        comping: how chords are played.
        sevenths: whether chords are of four notes.
    """

    tempo: tuple[int, int]
    chords: tuple[str, ...]
    comping: tuple[Comping, ...]
    lead: tuple[str, ...]
    bass: tuple[str, ...] = ()
    bass_line: BassLine = "roots"
    pad: tuple[str, ...] = ()
    drums: Pattern | None = None
    kits: tuple[int, ...] = (0, 8)
    sevenths: bool = False


# By title of the genre as FMA has it.
BANDS: dict[str, Band] = {
    "Rock": Band(
        tempo=(100, 150),
        chords=("jazz_guitar", "steel_guitar"),
        comping=("strum",),
        lead=("square_lead", "jazz_guitar", "brass"),
        bass=("pick_bass", "finger_bass"),
        drums=PATTERNS["rock"],
        kits=(0, 8, 16),
    ),
    "Electronic": Band(
        tempo=(112, 138),
        chords=("polysynth_pad", "electric_piano"),
        comping=("stabs", "arpeggio"),
        lead=("square_lead", "polysynth_pad"),
        bass=("synth_bass_1", "synth_bass_2"),
        bass_line="syncopated",
        pad=("warm_pad",),
        drums=DANCE,
        kits=(24,),
    ),
    "Hip-Hop": Band(
        tempo=(76, 98),
        chords=("electric_piano", "vibraphone"),
        comping=("quarters", "pad"),
        lead=("pan_flute", "pizzicato", "harp"),
        bass=("synth_bass_2", "fretless_bass"),
        bass_line="syncopated",
        drums=PATTERNS["hiphop"],
        kits=(24, 16),
        sevenths=True,
    ),
    "Folk": Band(
        tempo=(84, 126),
        chords=("steel_guitar", "nylon_guitar"),
        comping=("arpeggio", "strum"),
        lead=("recorder", "violin", "pan_flute"),
        bass=("double_bass",),
        bass_line="long",
    ),
    "Jazz": Band(
        tempo=(104, 160),
        chords=("piano", "jazz_guitar", "electric_piano"),
        comping=("stabs", "quarters"),
        lead=("saxophone", "trumpet", "vibraphone"),
        bass=("fretless_bass", "double_bass"),
        bass_line="walking",
        drums=PATTERNS["jazz"],
        kits=(32,),
        sevenths=True,
    ),
    "Pop": Band(
        tempo=(88, 124),
        chords=("bright_piano", "electric_piano", "steel_guitar"),
        comping=("quarters", "strum"),
        lead=("square_lead", "marimba", "saxophone"),
        bass=("finger_bass", "synth_bass_1"),
        pad=("strings", "warm_pad"),
        drums=PATTERNS["rock"],
    ),
    "Soul-RnB": Band(
        tempo=(86, 112),
        chords=("electric_piano",),
        comping=("stabs",),
        lead=("saxophone", "trombone"),
        bass=("slap_bass_1", "slap_bass_2"),
        bass_line="syncopated",
        pad=("brass",),
        drums=PATTERNS["funk"],
        sevenths=True,
    ),
    "International": Band(
        tempo=(96, 132),
        chords=("nylon_guitar", "marimba"),
        comping=("arpeggio", "stabs"),
        lead=("pan_flute", "trumpet", "recorder"),
        bass=("fretless_bass",),
        bass_line="syncopated",
        drums=PATTERNS["latin"],
    ),
    "Punk": Band(
        tempo=(150, 180),
        chords=("jazz_guitar",),
        comping=("strum",),
        lead=("square_lead",),
        bass=("pick_bass",),
        drums=PUNK,
        kits=(16,),
    ),
    "Ambient": Band(
        tempo=(60, 80),
        chords=("harp", "vibraphone"),
        comping=("arpeggio",),
        lead=("polysynth_pad", "pan_flute"),
        bass=("synth_bass_2",),
        bass_line="long",
        pad=("warm_pad", "strings"),
    ),
}

SAXOPHONE_TRIO = Band(
    tempo=(140, 176),
    chords=("piano",),
    comping=("stabs", "quarters"),
    lead=("saxophone",),
    drums=PATTERNS["jazz"],
    kits=(32,),
    sevenths=True,
)
