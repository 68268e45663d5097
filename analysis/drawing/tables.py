"""A comparison of rows as text: Markdown, LaTeX, CSV, and for the terminal."""

import csv
import io
import re
from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from analysis.drawing import labels
from analysis.drawing.style import MEASURE_LABELS
from analysis.numbers.comparison import MEASURES, Comparison, Result

STOPPED = "†"
COMPARED = ("f1", "blank_rate")
"""measures whose differences are written out; the CSV has all"""
_LATEX = {
    "\\": r"\textbackslash{}",
    **{c: f"\\{c}" for c in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "–": "--",
    STOPPED: r"$^\dagger$",
    "−": "$-$",
    "·": r"$\cdot$",
}


def headings(comparison: Comparison) -> list[str]:
    """Of a table's columns, without the set."""
    measures = [MEASURE_LABELS[m] for m in MEASURES]
    differences = [f"{MEASURE_LABELS[m]} − {comparison.baseline}" for m in COMPARED]
    return ["row", *measures, *differences, "runs"]


def cells(result: Result) -> list[str]:
    """Texts under ``headings``."""
    scores = [result.spreads[m].text() for m in MEASURES]
    compared = [result.differences[m].text() if result.differences else "" for m in COMPARED]
    return [marked(result), *scores, *compared, _runs(result)]


def marked(result: Result) -> str:
    """The row's name, marked if any of its runs was stopped."""
    return f"{result.row} {STOPPED}" if result.stopped else result.row


def reading(comparison: Comparison) -> list[str]:
    """How the table is to be read, in sentences."""
    n = len(comparison.sweep.seeds)
    over = "mean ± sample standard deviation over seeds" if n > 1 else "of one seed"
    sentences = [f"Scores at a trial's last validation, not at its best checkpoint: {over}."]
    if comparison.has_intervals:
        sentences.append(
            f"Differences to {comparison.baseline} are paired by seed; in brackets, 95 % intervals "
            "of a paired bootstrap over tracks, scores averaged over seeds before: they tell what "
            "other tracks would change, not what other seeds would."
        )
    else:
        sentences.append(
            f"Differences to {comparison.baseline} are paired by seed; without intervals, for the "
            "store has no scores by track."
        )
    if comparison.has_stopped:
        sentences.append(
            f"{STOPPED} with runs that were stopped as collapsed; they count with the state in "
            "which they were stopped."
        )
    return sentences


def markdown(comparison: Comparison) -> str:
    """Provenance, a table in GitHub's Markdown per set, and how to read it."""
    head = headings(comparison)
    rule = ["---", *["--:"] * (len(head) - 2), "---"]
    parts = [comparison.sweep.question, " — ".join(labels.subtitle(comparison.sweep))]
    for set_name in comparison.sweep.sets:
        parts.append(f"**{set_name}** ({labels.kind(comparison.sweep, set_name)})")
        rows = [head, rule, *(cells(r) for r in comparison.on(set_name))]
        parts.append("\n".join(f"| {' | '.join(map(_pipes, row))} |" for row in rows))
    return "\n\n".join([*parts, " ".join(reading(comparison))]) + "\n"


def latex(comparison: Comparison) -> str:
    """A table for LaTeX, as wide as the text; its caption says what the data are."""
    head = headings(comparison)
    about = [comparison.sweep.question, *labels.subtitle(comparison.sweep), *reading(comparison)]
    lines = [
        "% needs \\usepackage{booktabs,graphicx}",
        "\\begin{table}",
        f"\\caption{{{_tex(' '.join(map(_sentence, about)))}}}",
        "\\resizebox{\\textwidth}{!}{%",
        f"\\begin{{tabular}}{{l{'r' * (len(head) - 2)}l}}",
        "\\toprule",
        _tex_row(head),
    ]
    for set_name in comparison.sweep.sets:
        kind = labels.kind(comparison.sweep, set_name)
        title = f"\\textbf{{{_tex(set_name)}}} ({_tex(kind)})"
        lines += ["\\midrule", f"\\multicolumn{{{len(head)}}}{{l}}{{{title}}} \\\\"]
        lines += [_tex_row(cells(r)) for r in comparison.on(set_name)]
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}}", "\\end{table}", ""])


def comma_separated(comparison: Comparison) -> str:
    """Every number in full: of each measure n, mean, std, difference and its interval."""
    statistics = ("n", "mean", "std", "difference", "low", "high", "tracks")
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    identity = ["sweep", "preset", "data", "baseline", "set", "row", "runs", "counted", "stopped"]
    writer.writerow([*identity, *(f"{m}_{s}" for m in MEASURES for s in statistics)])
    sweep = comparison.sweep
    for result in comparison.results:
        where = [sweep.name, sweep.preset, sweep.data_label, comparison.baseline]
        counts = [result.runs, result.counted, result.stopped]
        numbers = [x for m in MEASURES for x in _numbers(result, m)]
        writer.writerow([*where, result.set_name, result.row, *counts, *numbers])
    return buffer.getvalue()


def terminal(comparison: Comparison) -> Table:
    """For rich's console, in 80 columns: means, and the difference of F1."""
    sweep = comparison.sweep
    title = f"{sweep.name}: {sweep.question}"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("row", max_width=22)
    for heading in ("P", "R", "F1", "blank"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column(f"F1 − {comparison.baseline}", justify="right", no_wrap=True)
    for set_name in sweep.sets:
        table.add_row(Text(set_name, style="bold"))
        results = comparison.on(set_name)
        for result in results:
            means = [result.spreads[m].mean_text(2) for m in MEASURES]
            gain = result.differences["f1"].text() if result.differences else ""
            last = result is results[-1]
            table.add_row(marked(result), *means, gain, end_section=last)
    return table


def _numbers(result: Result, measure: str) -> list[float | int | str]:
    spread = result.spreads[measure]
    numbers: list[float | int | str] = [spread.n, spread.mean, spread.std]
    difference = result.differences.get(measure)
    if difference is None:
        return [*numbers, "", "", "", ""]
    interval = difference.interval
    bounds = [interval.low, interval.high, interval.n] if interval else ["", "", ""]
    return [*numbers, difference.spread.mean, *bounds]


def _runs(result: Result) -> str:
    texts = [str(result.runs)]
    if result.stopped:
        texts.append(f"{result.stopped} stopped")
    if result.counted < result.runs:
        texts.append(f"{result.runs - result.counted} without result")
    return ", ".join(texts)


def _pipes(cell: str) -> str:
    return cell.replace("|", "\\|")


def _tex_row(row: Sequence[str]) -> str:
    return " & ".join(map(_tex, row)) + r" \\"


def _tex(text: str) -> str:
    # before a digit at the beginning of a number, a hyphen is a minus
    text = re.sub(r"(?<![\w.])-(?=\d)", "−", text)
    return "".join(_LATEX.get(character, character) for character in text)


def _sentence(text: str) -> str:
    return text if text[-1] in ".?!" else f"{text}."
