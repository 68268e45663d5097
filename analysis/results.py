"""How does every row of a sweep score on every set, and how does it differ from the reference?

python -m analysis.results --sweep NAME
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from analysis.drawing import labels, tables
from analysis.drawing.style import MEASURE_LABELS
from analysis.figure import SweepFigure
from analysis.numbers import ladder
from analysis.numbers.comparison import Comparison, Result
from analysis.numbers.intervals import LEVEL
from analysis.numbers.kinds import BLANK
from ssmpe.console import printable
from ssmpe.evaluation.collapse import KINDS, Kind
from ssmpe.tracking.stored.records import CEILING_ROW, RECENT

STOPPED, SURVIVES, BELOW = "†", "*", "‡"
_LATEX = {
    "\\": r"\textbackslash{}",
    **{c: f"\\{c}" for c in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "–": "--",
    STOPPED: r"$^\dagger$",
    SURVIVES: r"$^*$",
    BELOW: r"$^\ddagger$",
    "−": "$-$",
    "·": r"$\cdot$",
    "½": r"$\frac{1}{2}$",
}
_MEANT = {
    Kind.LEVEL_SUNK: "blank at ½, content intact",
    Kind.CONTENT_LOST: f"AP below {KINDS.kept:g} of what it was or of Ref.'s",
    Kind.CONSTANT_PATTERN: "the same output whatever is played",
    Kind.ALL_ON: "salience nearly everywhere",
    BLANK: "blank at ½, content not measured",
}


def scores(comparison: Comparison, set_name: str) -> tables.Frame:
    """Return the results on a set as texts, a line per row."""
    sweep, minus = comparison.sweep, f"− {comparison.baseline}"

    def line(result: Result) -> dict[str, str]:
        def mean(*measures: str) -> dict[str, str]:
            return {
                MEASURE_LABELS[m]: f"{result.spreads[m].text()}{_below(comparison, result, m)}"
                for m in measures
            }

        def difference(measure: str) -> dict[str, str]:
            return {f"{MEASURE_LABELS[measure]} {minus}": _difference(result, measure)}

        recent = {f"last {RECENT}": result.recent[sweep.f1].mean_text()}
        if sweep.tuned:
            cells = mean("f1_tuned") | difference("f1_tuned") | recent
            cells |= mean("average_precision") | difference("average_precision")
            cells |= mean("f1", "blank_rate_tuned", "blank_rate")
        else:
            cells = mean("precision", "recall", "f1") | difference("f1") | recent
            cells |= mean("blank_rate") | difference("blank_rate")
        ends = {"collapse": result.kinds.text(), "runs": _runs(result)}
        return {"row": _marked(result), **cells, **ends}

    return tables.frame(map(line, comparison.on(set_name)))


def _difference(result: Result, measure: str) -> str:
    """Return a difference, marked if it survives Holm's correction."""
    found = result.differences.get(measure)
    return f"{found.text()}{SURVIVES * found.survives}" if found else ""


def _below(comparison: Comparison, result: Result, measure: str) -> str:
    """Return the mark of a score that is below what is known without a network."""
    return BELOW * ladder.below(comparison.sweep, result.row, result.set_name, measure)


def _marked(result: Result) -> str:
    """Return the row's name, marked if any of its runs was stopped."""
    return str(_name(result))


def _name(result: Result) -> tables.RowName:
    return tables.RowName(result.row, STOPPED if result.stopped else "")


def _runs(result: Result) -> str:
    texts = [str(result.runs)]
    if result.stopped:
        texts.append(f"{result.stopped} stopped")
    if result.counted < result.runs:
        texts.append(f"{result.runs - result.counted} without result")
    return ", ".join(texts)


def reading(comparison: Comparison) -> list[str]:
    """Say how the table is to be read."""
    sweep, baseline = comparison.sweep, comparison.baseline
    n = len(sweep.seeds)
    over = "mean ± sample standard deviation over seeds" if n > 1 else "of one seed"
    sentences = [f"Scores at a trial's last validation, not at its best checkpoint: {over}."]
    sentences.append(f"Last {RECENT}: mean over a trial's last {RECENT} validations.")
    if sweep.tuned:
        sentences.append("AP: average precision over all thresholds.")
    sentences.append(labels.terms(sweep))
    if comparison.has_intervals:
        seeds = "seeds and tracks" if n > 1 else "tracks; with one seed, they leave out what "
        seeds += "" if n > 1 else "another would change"
        sentences.append(
            f"Differences to {baseline} are paired by seed; in brackets, 95 % intervals over "
            f"{seeds}."
        )
        sentences.append(
            f"{SURVIVES} survives Holm's correction for all {comparison.compared} differences of "
            f"a measure in this sweep, of which any is false by chance at most once in "
            f"{1 / LEVEL:.0f} times; one without the mark may be by chance, even where its "
            "interval leaves out zero."
        )
    else:
        sentences.append(
            f"Differences to {baseline} are paired by seed; without intervals, for the store has "
            "no scores by track."
        )
    if sweep.signal_rows:
        rows = ", ".join(sweep.signal_rows)
        best = f"the best of {rows}" if len(sweep.signal_rows) > 1 else rows
        sentences.append(
            f"{BELOW} a mean below that of {best} on that set: the network has learnt less than "
            "its input tells by itself."
        )
    found = dict.fromkeys(word for r in comparison.results for word in r.kinds.counts)
    if found:
        meant = "; ".join(f"{word}: {_MEANT[word]}" for word in found)
        sentences.append(f"Collapse, in how many of the runs: {meant}.")
    if any(r.stopped for r in comparison.results):
        sentences.append(
            f"{STOPPED} with runs that were stopped as collapsed; they count with the state in "
            "which they were stopped."
        )
    return sentences


def findings(comparison: Comparison) -> list[str]:
    """Say what the data are, how to read the table, and how near rows come to the ceiling."""
    data = f"data: {comparison.sweep.data_label}"
    return [data, *reading(comparison), *climbed(comparison)]


def climbed(comparison: Comparison) -> list[str]:
    """Say what rows close of the gap to the ceiling; [] of a sweep without one."""
    found = ladder.gaps(comparison)
    lines = []
    for gap in found:
        head = f"Gap from {comparison.baseline} to {CEILING_ROW} on {gap.set_name}, "
        head += f"{MEASURE_LABELS[gap.measure]}: {gap.width:+.3f}"
        rising = {row: share for row, share in gap.shares.items() if share.value > 0}
        shares = ", ".join(f"{row} {share.text()}" for row, share in rising.items())
        rest = ", the other rows close none of it" * (len(rising) < len(gap.shares))
        closed = f"; of it closed by {shares or 'no row'}{rest * bool(rising)}"
        lines.append(f"{head}{closed if gap.shares else ', nothing to close'}.")
    if any(s.bounded for gap in found for s in gap.shares.values()):
        lines.append("In brackets, 95 % intervals of a share (Fieller's, of a ratio of means).")
    return lines


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
    return "\n\n".join([*parts, " ".join([*reading(comparison), *climbed(comparison)])]) + "\n"


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
    """Return every number: of each measure its spread, difference, interval and p-values."""
    sweep, lines = comparison.sweep, []
    gaps = {(g.set_name, g.measure): g for g in ladder.gaps(comparison)}
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
            "collapse": ", ".join(f"{n} {word}" for word, n in result.kinds.counts.items()),
            "threshold_mean": result.threshold.mean,
        }
        for measure in comparison.measures:
            line |= {f"{measure}_{k}": v for k, v in _numbers(result, measure).items()}
            if measure in ladder.MEASURES:
                gap = gaps.get((result.set_name, measure))
                line |= {f"{measure}_{k}": v for k, v in _climbed(comparison, result, measure, gap)}
        lines.append(line)
    return tables.frame(lines)


def _numbers(result: Result, measure: str) -> dict[str, object]:
    spread, recent = result.spreads[measure], result.recent[measure]
    difference = result.differences.get(measure)
    effect = difference and difference.effect
    return {
        "n": spread.n,
        "mean": spread.mean,
        "std": spread.std,
        f"last{RECENT}_mean": recent.mean,
        f"last{RECENT}_std": recent.std,
        "difference": difference.spread.mean if difference else "",
        "low": effect.low if effect else "",
        "high": effect.high if effect else "",
        "seeds": effect.n_seeds if effect else "",
        "tracks": effect.n_tracks if effect else "",
        "p_value": effect.p_value if effect else "",
        "p_holm": difference.corrected if difference and effect else "",
    }


def _climbed(
    comparison: Comparison, result: Result, measure: str, gap: ladder.Gap | None
) -> list[tuple[str, object]]:
    """Return the line without a network, and the share of the gap that is closed."""
    line = ladder.foot(comparison.sweep, result.set_name, measure)
    share = gap.shares.get(result.row) if gap else None
    return [
        ("without_network", line.score if line else ""),
        ("closed", share.value if share else ""),
        ("closed_low", share.low if share else ""),
        ("closed_high", share.high if share else ""),
    ]


def table(comparison: Comparison) -> Table:
    """Return means, and the difference of F1, for the terminal."""
    sweep, groups = comparison.sweep, []
    shown = ("average_precision", "f1", "blank_rate") if sweep.tuned else ("blank_rate",)
    for set_name in sweep.sets:
        group: list[list[str | Text | tables.RowName]] = [[Text(set_name, style="bold")]]
        for result in comparison.on(set_name):
            means = [
                f"{result.spreads[m].mean_text(2)}{_below(comparison, result, m)}"
                for m in (sweep.f1, *shown)
            ]
            difference = result.differences.get(sweep.f1)
            gain = f"{difference.text(2)}{SURVIVES * difference.survives}" if difference else ""
            kinds = result.kinds.text() if result.kinds.counts else ""
            group.append([_name(result), means[0], gain, *means[1:], kinds])
        groups.append(group)
    heads = [MEASURE_LABELS[m].replace(" ", "\n", 1) for m in (sweep.f1, *shown)]
    columns: dict[str, Mapping[str, Any]] = {"row": {}, heads[0]: tables.NUMBER}
    columns |= {f"− {comparison.baseline}": {**tables.NUMBER, "justify": "left"}}
    columns |= {**dict.fromkeys(heads[1:], tables.NUMBER), "collapse": {}}
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
