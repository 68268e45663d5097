"""How MLflow's interface shows a sweep: a saved view of its experiment, in the interface's terms.

The interface keeps saved views as tags of the experiment: a name, and its own state as JSON,
deflated so that it fits into a tag. It lists them under "Views" and opens one by a link.
"""

import base64
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ssmpe.tracking import schema
from ssmpe.tracking.ui import filter_of

MAX_SHOWN_AT_ONCE = 40
"""Most runs whose curves are all drawn at first; of more, the interface draws twenty"""
_PIXELS_PER_LETTER, _PIXELS_BESIDE = 8, 40
_AXES, _CURVES = "axes", "curves"


@dataclass(frozen=True)
class View:
    """A choice of what the interface shows of a sweep's trials at first sight.

    Attributes:
        params: columns of the table: what differs between trials.
        axes: those of them that every trial has a value of, and so can be an axis.
        scores: metrics that are columns of the table.
        outcome: metrics at the end of the axes.
        curves: metrics that are drawn over batches.
        n_runs: trials.
        averaged: draw the mean over the trials of a row, and their range.
    """

    params: tuple[str, ...] = ()
    axes: tuple[str, ...] = ()
    scores: tuple[str, ...] = ()
    outcome: tuple[str, ...] = ()
    curves: tuple[str, ...] = ()
    n_runs: int = 0
    averaged: bool = False

    def tag(self, sweep: str, time: int) -> str:
        """Return the value of the experiment's tag that saves it; ``time`` is in ms since 1970."""
        state = base64.b64encode(zlib.compress(json.dumps(self.state(sweep)).encode())).decode()
        times = {"createdAt": time, "updatedAt": time}
        return json.dumps({"name": sweep, **times, "state": f"deflate;{state}"})

    def state(self, sweep: str) -> dict[str, Any]:
        """Return the same in the interface's own terms."""
        columns = [
            f"tags.`{schema.END_REASON}`",
            *(f"params.`{key}`" for key in self.params),
            *(f"metrics.`{key}`" for key in self.scores),
        ]
        groups = {"mode": "tag", "groupByData": schema.ROW}
        averages = {"aggregateFunction": "average", "groupByKeys": [groups]}
        return {
            "searchFilter": filter_of(sweep),
            "orderByKey": f"tags.`{schema.ORDER}`",
            "orderByAsc": True,
            "selectedColumns": columns,
            "columnWidths": {column: _width(column) for column in columns},
            "runsHiddenMode": "SHOW_ALL" if self.n_runs <= MAX_SHOWN_AT_ONCE else "FIRST_20_RUNS",
            "groupBy": averages if self.averaged else None,
            "isAccordionReordered": True,
            "compareRunSections": [
                _section(_AXES, "settings and scores", 1),
                _section(_CURVES, "over batches", 3),
            ],
            "compareRunCharts": [self._parallel(), *map(_line, self.curves)],
        }

    def _parallel(self) -> dict[str, Any]:
        return _chart(
            _AXES,
            "PARALLEL",
            selectedParams=list(self.axes),
            selectedMetrics=list(self.outcome),
            showAllRuns=True,
        )


def view_key(sweep: str) -> str:
    """Return the key of the experiment's tag that keeps the view of a sweep."""
    return f"{schema.VIEW_PREFIX}{sweep}"


def varied(params: Iterable[Mapping[str, Any]]) -> dict[str, bool]:
    """Return the parameters that differ between trials, and whether all trials have a value of it.

    None and "" are no values: on an axis of numbers they would put their trial nowhere.
    """
    trials = list(params)
    keys = dict.fromkeys(key for trial in trials for key in trial)
    texts = {
        key: {None if trial.get(key) in (None, "") else str(trial[key]) for trial in trials}
        for key in keys
    }
    return {key: None not in found for key, found in texts.items() if len(found) > 1}


def _width(column: str) -> int:
    name = column.partition(".")[2].strip("`")
    return _PIXELS_PER_LETTER * len(name) + _PIXELS_BESIDE


def _section(uuid: str, name: str, columns: int) -> dict[str, Any]:
    shown = {"display": True, "isReordered": True, "deleted": False, "isGenerated": False}
    return {"uuid": uuid, "name": name, "columns": columns, **shown}


def _line(metric: str) -> dict[str, Any]:
    return _chart(
        _CURVES,
        "LINE",
        metricKey=metric,
        displayName=metric,
        xAxisKey="step",
        xAxisScaleType="linear",
        scaleType="linear",
        yAxisKey="metric",
        yAxisExpressions=[],
        range={},
        lineSmoothness=0,
        useGlobalXaxisKey=True,
        useGlobalLineSmoothing=True,
    )


def _chart(section: str, kind: str, **own: Any) -> dict[str, Any]:
    uuid = f"{section}-{own.get('metricKey', kind)}"
    shown = {"deleted": False, "isGenerated": False, "runsCountToCompare": MAX_SHOWN_AT_ONCE}
    return {"uuid": uuid, "type": kind, "metricSectionId": section, **shown, **own}
