"""The errors a user can cause, told apart from faults of the program."""


class UserError(Exception):
    """A mistake in what the user gave: one line that says what is wrong, where, and what to do.

    Command-line entry points print the message alone and exit with code 2.
    """


class DataError(UserError):
    """A file of a dataset that cannot be used; the message names the file (and line, if any)."""


class OutOfSpaceError(Exception):
    """The disk filled up: nothing the user typed is wrong, and the sweep can be resumed.

    Command-line entry points print the message alone and exit with code 1.
    """


def last_line(error: BaseException | str) -> str:
    """Return the last line of what an error says, or its type if it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[-1]
