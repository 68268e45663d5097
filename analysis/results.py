"""How does every row of a sweep score on every set, and how does it differ from the reference?

python -m analysis.results --sweep NAME
"""

import re
from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from analysis.drawing import labels, tables
from analysis.drawing.style import MEASURE_LABELS
from analysis.figure import SweepFigure
from analysis.numbers.comparison import Comparison, Result
from ssmpe.console import printable

STOPPED = "†"
SHOWN = ("precision", "recall", "f1", "blank_rate")
COMPARED = ("f1", "blank_rate")
"""Measures whose differences are written out; the CSV has all"""
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


def scores(comparison: Comparison, set_name: str) -> tables.Frame:
    """Return the results on a set as texts, a line per row."""
    return tables.frame(
        {
            "row": _marked(result),
            **{MEASURE_LABELS[m]: result.spreads[m].text() for m in SHOWN},
            **{
                f"{MEASURE_LABELS[m]} − {comparison.baseline}": _difference(result, m)
                for m in COMPARED
            },
            "runs": _runs(result),
        }
        for result in comparison.on(set_name)
    )


def _difference(result: Result, measure: str) -> str:
    return result.differences[measure].text() if result.differences else ""


def _marked(result: Result) -> str:
    """Return the row's name, marked if any of its runs was stopped."""
    return f"{result.row} {STOPPED}" if result.stopped else result.row


def _runs(result: Result) -> str:
    texts = [str(result.runs)]
    if result.stopped:
        texts.append(f"{result.stopped} stopped")
    if result.counted < result.runs:
        texts.append(f"{result.runs - result.counted} without result")
    return ", ".join(texts)


def reading(comparison: Comparison) -> list[str]:
    """Say how the table is to be read."""
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
    if any(r.stopped for r in comparison.results):
        sentences.append(
            f"{STOPPED} with runs that were stopped as collapsed; they count with the state in "
            "which they were stopped."
        )
    return sentences


def findings(comparison: Comparison) -> list[str]:
    """Say what the data are, and how to read the table."""
    return [f"data: {comparison.sweep.data_label}", *reading(comparison)]


def texts(comparison: Comparison) -> dict[str, str]:
    """Return the tables in Markdown and LaTeX."""
    return {"results.md": _markdown(comparison), "results.tex": _latex(comparison)}


def _markdown(comparison: Comparison) -> str:
    """Return provenance, a table per set, and how to read it."""
    sweep = comparison.sweep
    parts = [sweep.question, " — ".join(labels.subtitle(sweep))]
    for name in sweep.sets:
        parts.append(f"**{name}** ({labels.kind(sweep, name)})")
        parts.append(tables.markdown(scores(comparison, name), ("row", "runs")))
    return "\n\n".join([*parts, " ".join(reading(comparison))]) + "\n"


def _latex(comparison: Comparison) -> str:
    """Return a table as wide as the text; its caption says what the data are."""
    sweep = comparison.sweep
    of_sets = {name: scores(comparison, name) for name in sweep.sets}
    head = list(of_sets[sweep.validation].columns)
    about = filter(None, [sweep.question, *labels.subtitle(sweep), *reading(comparison)])
    lines = [
        "% needs \\usepackage{booktabs,graphicx}",
        "\\begin{table}",
        f"\\caption{{{_tex(' '.join(t if t[-1] in '.?!' else f'{t}.' for t in about))}}}",
        "\\resizebox{\\textwidth}{!}{%",
        f"\\begin{{tabular}}{{l{'r' * (len(head) - 2)}l}}",
        "\\toprule",
        _tex_row(head),
    ]
    for name, table in of_sets.items():
        title = f"\\textbf{{{_tex(name)}}} ({_tex(labels.kind(sweep, name))})"
        lines += ["\\midrule", f"\\multicolumn{{{len(head)}}}{{l}}{{{title}}} \\\\"]
        lines += map(_tex_row, table.itertuples(index=False))
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}}", "\\end{table}", ""])


def _tex_row(row: Iterable[str]) -> str:
    return " & ".join(map(_tex, row)) + r" \\"


def _tex(text: str) -> str:
    # before a digit at the beginning of a number, a hyphen is a minus
    text = re.sub(r"(?<![\w.])-(?=\d)", "−", printable(text))
    return "".join(_LATEX.get(character, character) for character in text)


def numbers(comparison: Comparison) -> tables.Frame:
    """Return every number: of each measure n, mean, std, difference and its interval."""
    sweep, lines = comparison.sweep, []
    for result in comparison.results:
        line: dict[str, object] = {
            "sweep": sweep.name,
            "preset": sweep.preset,
            "data": sweep.data_label,
            "baseline": comparison.baseline,
            "set": result.set_name,
            "row": result.row,
            "runs": result.runs,
            "counted": result.counted,
            "stopped": result.stopped,
        }
        for measure in comparison.measures:
            spread, difference = result.spreads[measure], result.differences.get(measure)
            interval = difference and difference.effect
            line |= {
                f"{measure}_n": spread.n,
                f"{measure}_mean": spread.mean,
                f"{measure}_std": spread.std,
                f"{measure}_difference": difference.spread.mean if difference else "",
                f"{measure}_low": interval.low if interval else "",
                f"{measure}_high": interval.high if interval else "",
                f"{measure}_tracks": interval.n_tracks if interval else "",
            }
        lines.append(line)
    return tables.frame(lines)


def table(comparison: Comparison) -> Table:
    """Return means, and the difference of F1, for the terminal."""
    sweep, groups = comparison.sweep, []
    for set_name in sweep.sets:
        group: list[list[str | Text]] = [[Text(set_name, style="bold")]]
        for result in comparison.on(set_name):
            means = [result.spreads[m].mean_text(2) for m in SHOWN]
            group.append([_marked(result), *means, _difference(result, "f1")])
        groups.append(group)
    gain = f"F1 − {comparison.baseline}"
    columns = {
        "row": {"max_width": 22},
        **dict.fromkeys(("P", "R", "F1", "blank", gain), tables.NUMBER),
    }
    return tables.terminal(f"{sweep.name}: {sweep.question}", columns, groups, gap=0)


_BASELINE = "compare with this row; default: Ref., else the first"
FIGURE = SweepFigure(
    "results",
    __doc__,
    Comparison.of,
    numbers=numbers,
    findings=findings,
    texts=texts,
    table=table,
    options={"baseline": ("ROW", _BASELINE)},
)
main = FIGURE.main

if __name__ == "__main__":
    raise SystemExit(main())
