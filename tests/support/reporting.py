"""A store with sweeps to report on, their reports, and a reader of the pages."""

from html.parser import HTMLParser
from pathlib import Path

from analysis import report
from tests.analysis.test_results import energy_trials, write_track_scores
from tests.support.analysis_store import SETS, Invented, sample_count_trials, store_in, write_sweep

LONG = "+" + "x".join(["MN-8", "a-very-long-name-of-a-row", "<b>&", "0.123456789"])
"""of a row: long, and markup if taken literally"""


class Page(HTMLParser):
    """Tables of results (set -> rows of cells), links, sources of images, and all text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.links: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.text = ""
        self._rows: list[list[str]] = []
        self._cell = False
        self.feed(text)

    @classmethod
    def of(cls, made: report.SweepReport) -> "Page":
        return cls(made.file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        if tag == "table":
            self._rows = self.tables.setdefault(named.get("data-set") or named["class"], [])
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._rows[-1].append("")
        elif tag == "a":
            self.links.append(named["href"])
        elif tag == "img":
            self.images.append(named)
        self._cell = self._cell or tag in ("td", "th")

    def handle_endtag(self, tag):
        self._cell = self._cell and tag not in ("td", "th")

    def handle_data(self, data):
        self.text += data
        if self._cell:
            self._rows[-1][-1] += data


def write_store(folder: Path, empty: Path) -> None:
    """Three sweeps that have ended, one that runs and one that has not begun."""
    uri = store_in(folder, empty)
    write_sweep(uri, "energy", energy_trials(3), state="failed")
    write_track_scores(uri, "energy", folder)
    write_sweep(uri, "counts", sample_count_trials(2))
    many = sample_count_trials(1, ("MusicNet/train", "NSynth/train", "FMA/all"))
    many.append(Invented(LONG, 0, "MusicNet/train", 3))
    write_sweep(uri, "long", many, (*SETS, "Su/all", "TRIOS/all"))
    half = [Invented("Ref.", 0), Invented("+MN-2", 1, "MusicNet/train", 2, None)]
    write_sweep(uri, "running", half, state="running")
    write_sweep(uri, "unstarted", [], state="running")
