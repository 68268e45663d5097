"""``ssmpe report``: the commands of the folder ``analysis``."""

from collections.abc import Sequence

from ssmpe import bundled
from ssmpe.console import exit_code
from ssmpe.errors import UserError


def main(arguments: Sequence[str]) -> int:
    """Write a report, or draw the figure that is named first: ``ssmpe report curves``."""
    figure, options = "report", [*arguments]
    if options and not options[0].startswith("-"):
        figure = options.pop(0)

    def run() -> int:
        known = bundled.figures()
        if figure not in known:
            raise UserError(f"report {figure}: no such figure (there are: {', '.join(known)})")
        return int(bundled.analysis(figure).main(options))

    return exit_code(run)
