"""Casting: who plays in each dataset.

The labelled set (URMP) has strings, winds and brass. MusicNet's recordings overlap with these and
go beyond them: a harp and, in seven of ten, piano. The popular music is cast in ``bands``.
"""

from ssmpe.world.music.arrangement import Player
from ssmpe.world.music.pieces import Pool
from ssmpe.world.sound.studio import AudioFormat

# Players of URMP's 44 pieces, as abbreviated in its folder names (sextets cut to four players).
URMP_PLAYERS = """
vn-vc vn-vn fl-cl fl-fl tpt-tpt sax-sax tpt-tbn fl-vn tpt-vn tpt-sax ob-cl vn-vn-vc vn-vn-va
fl-fl-cl tpt-tpt-tbn tpt-tpt-sax vn-fl-cl vn-fl-tpt cl-vn-vc tpt-vn-vc cl-tbn-tba sax-tbn-tba
cl-sax-tba vn-vn-va-vc vn-vn-va-sax vn-vn-va-vc vn-vn-va-sax fl-ob-cl-bn fl-fl-ob-cl fl-fl-ob-sax
tpt-tpt-hn-tbn vn-vn-va-vc tpt-tpt-hn-tbn tpt-tpt-hn-tbn vn-vn-va-db vn-vn-va-vc fl-vn-va-vc
vn-va-vc-db vn-va-sax-db fl-ob-cl-bn fl-cl-sax-bn tpt-tpt-tbn-tba tpt-hn-tbn-tba vn-vn-va-vc
"""
URMP_POOLS: tuple[Pool, ...] = ("chorale", "madrigal", "quartet", "madrigal")
# Recordings as URMP publishes them, where a loader is to meet them.
URMP_FORMATS = {1: AudioFormat(48000, 2), 2: AudioFormat(48000, 1)}

ALL = slice(None, 4)
MUSICNET_TEST_IDS = (1759, 1819, 2106, 2191, 2298, 2303, 2382, 2416, 2556, 2628)
MUSICNET_FIRST_ID = 1727


def one_part_each(*instruments: str) -> tuple[Player, ...]:
    """Return players who take the parts of a score in order."""
    return tuple((name, slice(i, i + 1)) for i, name in enumerate(instruments))


Ensemble = tuple[Pool, tuple[Player, ...]]
# Ten recordings, in about the shares of the real set: seven with piano, most of them solo, two of
# strings or winds alone; and a harp. Any stretch of them is mixed.
MUSICNET_KINDS: tuple[tuple[Ensemble, ...], ...] = (
    (
        ("quartet", one_part_each("violin", "violin", "viola", "cello")),
        ("madrigal", one_part_each("violin", "viola", "viola", "cello")),
    ),
    (("piano", (("piano", ALL),)), ("chorale", (("bright_piano", ALL),))),
    (
        ("madrigal", one_part_each("flute", "oboe", "clarinet", "bassoon")),
        ("chorale", one_part_each("oboe", "clarinet", "horn", "bassoon")),
    ),
    (
        ("madrigal", (("violin", slice(0, 1)), ("piano", slice(1, 4)))),
        ("chorale", (("cello", slice(3, 4)), ("piano", slice(0, 3)))),
    ),
    (("quartet", (("piano", ALL),)), ("piano", (("bright_piano", ALL),))),
    (("chorale", (("piano", ALL),)), ("madrigal", (("bright_piano", ALL),))),
    (
        ("chorale", (("violin", slice(0, 1)), ("cello", slice(3, 4)), ("piano", slice(1, 3)))),
        ("quartet", (("violin", slice(0, 1)), ("viola", slice(2, 3)), ("piano", ALL))),
    ),
    (("madrigal", (("piano", ALL),)), ("piano", (("piano", ALL),))),
    (
        ("chorale", (("violin", slice(0, 1)), ("harp", slice(1, 4)))),
        ("madrigal", (("harp", ALL),)),
    ),
    (
        ("quartet", (("violin", slice(0, 1)), ("piano", slice(1, 4)))),
        ("chorale", (("clarinet", slice(0, 1)), ("piano", slice(1, 4)))),
    ),
)

STRING_QUARTET = one_part_each("violin", "violin", "viola", "cello")
PIANO_QUINTET = (*STRING_QUARTET, ("piano", slice(1, 5)))
VIOLIN_SONATA: tuple[Player, ...] = (("violin", slice(0, 1)), ("piano", slice(1, 5)))
SU_PIECES: dict[str, Ensemble] = {
    "PQ02": ("mass", PIANO_QUINTET),
    "PQ03": ("mass", PIANO_QUINTET),
    "PS01": ("piano", (("piano", ALL),)),
    "PS02": ("piano", (("bright_piano", ALL),)),
    "PS03": ("piano", (("piano", ALL),)),
    "SQ01": ("quartet", STRING_QUARTET),
    "SQ02": ("quartet", STRING_QUARTET),
    "SQ03": ("quartet", STRING_QUARTET),
    "VS01": ("madrigal", VIOLIN_SONATA),
    "VS04": ("madrigal", VIOLIN_SONATA),
}

GUITARS = ("steel_guitar", "nylon_guitar", "steel_guitar", "jazz_guitar")
# The lead sheets, each of which a player accompanies once and plays a solo on once.
GUITARSET_STYLES = (
    *("BN1-129-Eb", "Funk1-97-C", "Jazz2-110-Bb", "Rock1-90-C#", "SS1-68-E"),
    *("BN2-166-Ab", "Jazz3-137-Eb", "Rock2-142-D", "BN1-147-Gb", "Funk1-114-Ab"),
    *("Jazz1-130-D", "Rock1-130-A", "SS1-100-C#", "BN2-131-B", "Funk2-108-Eb"),
    *("Jazz1-200-B", "Rock2-85-F", "SS2-107-Ab", "BN3-119-G", "Funk2-119-G"),
    *("Jazz2-187-F#", "Rock3-117-Bb", "SS2-88-F", "BN3-154-E", "Funk3-112-C#"),
    *("Jazz3-150-C", "Rock3-148-C", "SS3-84-Bb", "Funk3-98-A", "SS3-98-C"),
)

# Instruments of NSynth: family, source and the instruments of this world that belong there.
NSYNTH_KINDS = (
    ("bass", "synthetic", ("synth_bass_1", "synth_bass_2")),
    ("bass", "electronic", ("finger_bass", "pick_bass", "fretless_bass", "slap_bass_1")),
    ("brass", "acoustic", ("trumpet", "horn", "trombone", "tuba", "brass")),
    ("flute", "acoustic", ("flute", "recorder", "pan_flute")),
    ("guitar", "acoustic", ("nylon_guitar", "steel_guitar")),
    ("guitar", "electronic", ("jazz_guitar",)),
    ("keyboard", "acoustic", ("piano", "harpsichord")),
    ("keyboard", "electronic", ("electric_piano",)),
    ("mallet", "acoustic", ("vibraphone", "marimba")),
    ("reed", "acoustic", ("oboe", "clarinet", "saxophone", "bassoon")),
    ("string", "acoustic", ("violin", "viola", "cello", "strings", "pizzicato", "harp")),
    ("synth_lead", "synthetic", ("square_lead", "warm_pad", "polysynth_pad")),
)
NSYNTH_VELOCITIES = (25, 50, 75, 100, 127)

DRUM_KITS = {0: "Acoustic Kit", 8: "Room Kit", 16: "Power Kit", 24: "808 Simple", 32: "Jazz Kit"}

# The fifth piece is a song for ``bands.SAXOPHONE_TRIO``.
TRIOS_PIECES: dict[str, Ensemble] = {
    "brahms": ("mass", (("horn", slice(1, 2)), ("violin", slice(0, 1)), ("piano", slice(1, 4)))),
    "lussier": (
        "chorale",
        (("bassoon", slice(3, 4)), ("trumpet", slice(0, 1)), ("piano", slice(1, 4))),
    ),
    "mozart": ("mass", (("clarinet", slice(0, 1)), ("viola", slice(1, 2)), ("piano", ALL))),
    "schubert": (
        "chorale",
        (("cello", slice(3, 4)), ("violin", slice(0, 1)), ("piano", slice(0, 4))),
    ),
}
TRIOS_SONG = "take_five"

MAESTRO_POOLS: tuple[Pool, ...] = ("mass", "chorale")
MAESTRO_PIANOS = ("piano", "piano", "bright_piano")

# Chamber music of the unlabelled sets, for instruments outside URMP.
CHAMBER: tuple[Ensemble, ...] = (
    ("mass", one_part_each("strings", "strings", "strings", "strings")),
    ("chorale", (("harpsichord", ALL),)),
    ("mass", one_part_each("brass", "brass", "brass", "tuba")),
    ("mass", (("recorder", slice(0, 1)), ("nylon_guitar", slice(1, 4)))),
    ("chorale", (("pan_flute", slice(0, 1)), ("harp", slice(1, 4)))),
    ("mass", (("vibraphone", slice(0, 2)), ("marimba", slice(2, 4)))),
)

# Songs with piano; there is no singing among the sampled sounds, so that a wind or a string
# instrument takes the voice's line.
LIEDER: tuple[Ensemble, ...] = tuple(
    ("mass", ((voice, slice(0, 1)), ("piano", slice(1, 4))))
    for voice in ("horn", "clarinet", "viola", "oboe")
)
