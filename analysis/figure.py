"""The one shape of every figure: a question to a sweep, and the functions that answer it.

A figure is a file with its question as docstring, and at its end::

    FIGURE = SweepFigure("border", __doc__, Plane.of, draw, numbers, findings)
    main = FIGURE.main

Options, files, what the terminal shows and the section in a report are the same for all.
"""

import io
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar

from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from analysis.drawing import style
from analysis.drawing.tables import Frame, comma_separated
from ssmpe.console import Parser, exit_code, make_console, write_text
from ssmpe.errors import UserError
from ssmpe.tracking.sqlite import local_uri
from ssmpe.tracking.stored import store
from ssmpe.tracking.stored.records import StoredSweep

RESULTS = Path("results")
"""Where sweeps started in this folder write"""
Found = TypeVar("Found")
"""What a figure has found in a sweep, and draws"""
Part = TypeVar("Part")
ByName: TypeAlias = Part | Mapping[str, Part]
"""One thing, in a file that is called as the figure; or several by the names of their files"""


@dataclass(frozen=True)
class Drawn:
    """Files that were written, and what they say.

    Attributes:
        question: that they answer.
        run_id: of the sweep.
        findings: sentences.
        table: shown before them, if there is one.
    """

    question: str
    run_id: str
    files: tuple[Path, ...]
    findings: tuple[str, ...]
    table: Table | None = None

    def show(self, console: Console) -> None:
        """Print table and findings."""
        if self.table is not None:
            console.print(self.table, "")
        if self.findings:
            console.print("\n".join(self.findings))

    def lines(self) -> list[str]:
        """Return what is shown on a terminal as wide as this one; of 80 columns without one."""
        page = io.StringIO()
        self.show(make_console(page, width=shutil.get_terminal_size().columns))
        return page.getvalue().splitlines()

    @property
    def images(self) -> tuple[Path, ...]:
        """The smaller of PNG and SVG, of every picture: drawings as lines, spectrograms as dots."""
        pictures = [f for f in self.files if f.suffix == ".png"]
        return tuple(
            min((f, f.with_suffix(".svg")), key=lambda f: f.stat().st_size) for f in pictures
        )

    @property
    def tables(self) -> tuple[Path, ...]:
        """Files with the numbers that are drawn."""
        return tuple(f for f in self.files if f.suffix == ".csv")


@dataclass(frozen=True)
class SweepFigure(Generic[Found]):
    """A question to a sweep, answered by pictures, numbers and sentences.

    Attributes:
        name: of its command, and of its files if they have no other.
        about: docstring of its file, whose first line is the question.
        of: picks from a sweep what is drawn; is given the command's own options by name, and
            raises UserError where the sweep has nothing to draw.
        draw: pictures.
        numbers: what is drawn, as tables; each becomes a CSV.
        findings: sentences with numbers.
        texts: further files, name -> content.
        table: what the terminal shows before the findings.
        applies: whether the figure belongs into a sweep's report.
        options: of the command beside those of all, name -> what it takes, and its help.
    """

    name: str
    about: str | None
    of: Callable[..., Found]
    draw: Callable[[Found], ByName[Figure]] = lambda found: {}
    numbers: Callable[[Found], ByName[Frame]] = lambda found: {}
    findings: Callable[[Found], Sequence[str]] = lambda found: ()
    texts: Callable[[Found], Mapping[str, str]] = lambda found: {}
    table: Callable[[Found], Table | None] = lambda found: None
    applies: Callable[[StoredSweep], bool] = lambda sweep: True
    options: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def question(self) -> str:
        """The question alone, of a first line that also says what is drawn."""
        line = first_line(self.about)
        return line[: line.index("?") + 1] if "?" in line else line

    def write(self, sweep: StoredSweep, out: Path, **options: Any) -> Drawn:
        """Draw a sweep into a folder, made if missing; raises what ``of`` raises, and UserError."""
        return self.write_found(self.of(sweep, **options), sweep, out)

    def write_found(self, found: Found, sweep: StoredSweep, out: Path) -> Drawn:
        """Draw what ``of`` has found in a sweep; UserError if the folder cannot be written."""
        said, folder = tuple(self.findings(found)), output_folder(out)
        files: list[Path] = []
        with style.look():
            for stem, picture in self._named(self.draw(found)).items():
                files += style.save(picture, folder, stem)
        texts = dict(self.texts(found))
        for stem, numbers in self._named(self.numbers(found)).items():
            texts[f"{stem}.csv"] = comma_separated(numbers)
        for name, text in texts.items():
            write_text(folder / name, text)
            files.append(folder / name)
        return Drawn(self.question, sweep.run_id, tuple(files), said, self.table(found))

    def main(self, arguments: Sequence[str] | None = None) -> int:
        """Run the command; returns its exit code."""
        return run(self.name, self.question, self.write, arguments, self.options)

    def _named(self, parts: ByName[Part]) -> Mapping[str, Part]:
        return parts if isinstance(parts, Mapping) else {self.name: parts}


def run(
    module: str,
    description: str,
    write: Callable[..., Drawn],
    arguments: Sequence[str] | None,
    own: Mapping[str, tuple[str, str]],
) -> int:
    """Run the command ``ssmpe report MODULE``, ``python -m analysis.MODULE`` in a checkout.

    Returns:
        0, or 2 for a mistake of the user.

    Args:
        write: draws a sweep into a folder, as ``SweepFigure.write``.
        own: options that this command alone has, as ``SweepFigure.options``.
    """
    parser = _parser(module, description)
    for option, (what, text) in own.items():
        parser.add_argument(f"--{option}", metavar=what, help=text)
    options = parser.parse_args(arguments)

    def command() -> int:
        uri = options.tracking_uri
        name = options.sweep or store.sweep_names(uri)[0]
        out = options.out or RESULTS / "figures" / name
        sweep = store.read_sweep(uri, name, options.partial)
        drawn = write(sweep, out, **{option: getattr(options, option) for option in own})
        if options.log:
            store.log_files(uri, drawn.run_id, drawn.files)
        console = make_console(width=shutil.get_terminal_size().columns)
        drawn.show(console)
        for file in drawn.files:
            console.print(str(file), soft_wrap=True)
        return 0

    return exit_code(command)


def allows(of: Callable[[StoredSweep], object]) -> Callable[[StoredSweep], bool]:
    """Return whether a sweep has what a figure picks from it."""

    def allowed(sweep: StoredSweep) -> bool:
        try:
            of(sweep)
        except UserError:
            return False
        return True

    return allowed


def output_folder(path: Path) -> Path:
    """Make a folder if it is missing; UserError if it cannot be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{path}: cannot write figures there ({error.strerror})") from error
    return path


def first_line(docstring: str | None) -> str:
    """Return the first line of a module's docstring; there is none under ``python -OO``."""
    return (docstring or "").partition("\n")[0]


def _parser(module: str, description: str) -> Parser:
    own = [module] if module != "report" else []
    parser = Parser(" ".join(["ssmpe", "report", *own]), description=description)
    parser.add_argument("--sweep", metavar="NAME", help="default: the latest in the store")
    uri = "MLflow store; default: ./results/mlflow.db"
    parser.add_argument("--tracking-uri", metavar="URI", default=local_uri(RESULTS), help=uri)
    out = "default: ./results/figures/NAME, made if missing"
    parser.add_argument("--out", metavar="DIR", type=Path, help=out)
    parser.add_argument("--log", action="store_true", help="also attach the files to the sweep")
    parser.add_argument(
        "--partial", action="store_true", help="draw a sweep that has not finished as it stands"
    )
    return parser
