"""Answers of searches."""

from analysis.answers.facts import Facts, counted, listed, sentence
from analysis.reading.records import StoredTrial
from ssmpe.tracking import schema
from ssmpe.tracking.schema import EndReason


def hyperparameters(facts: Facts) -> tuple[str, str] | None:
    """Which settings keep added music from going blank without losing score?"""
    where, results = facts.validation, [t for t in facts.sweep.trials if t.has_result]
    kinds = facts.added_kinds
    if len(kinds) != 1 or not results:
        return None
    (kind,) = kinds

    def balance(trial: StoredTrial) -> float:
        return trial.final(where, "f1") - trial.final(kind, "blank_rate")

    def scored(trial: StoredTrial) -> str:
        f1, blank = trial.final(where, "f1"), trial.final(kind, "blank_rate")
        return f"F1 {f1:.2f} and a blank rate of {blank:.2f}"

    best = max(results, key=balance)
    first = min(facts.sweep.trials, key=lambda t: int(t.row.removeprefix("#")))
    pruned = sum(t.end_reason is EndReason.PRUNED for t in facts.sweep.trials)
    text = (
        f"Of {counted(len(facts.sweep.trials), 'trial')}, {pruned} of them pruned, {best.row} "
        f"weighs F1 on {where} against the blank rate on {kind} best, with {scored(best)}"
    )
    if first is not best:
        end = f"has {scored(first)}" if first in results else f"ended as {first.end_reason}"
        text += f"; {first.row}, which the search began with, {end}"
    alive = [t for t in results if t.final(kind, "blank_rate") < 0.5]
    return sentence(text), sentence(
        f"Its settings are {listed(_settings(best))}; {counted(len(alive), 'result')} of "
        f"{len(results)} left less than half of the sounding frames of {kind} blank"
    )


def _settings(trial: StoredTrial) -> list[str]:
    found = {
        name.removeprefix(schema.SUGGESTED): value
        for name, value in sorted(trial.params.items())
        if name.startswith(schema.SUGGESTED)
    }
    return [f"{name} {_said(value)}" for name, value in found.items()]


def _said(value: str) -> str:
    try:
        return f"{float(value):.2g}"
    except ValueError:
        return value
