"""Experiments, one file each: a docstring that asks a question, and rows that answer it.

The file's name is the sweep's, and the first line of its docstring the question. Its last line
makes a sweep of it, or a search, and runs that if the file was started as a script::

    SWEEP = sweep(rows, scientific=("data.added",))

So ``python sweeps/sample_count.py`` or ``ssmpe sweep sample_count`` runs one, and ``import
sweeps.sample_count`` gives its ``SWEEP``. A file needs nothing but ``ssmpe``, so one of your own
may lie anywhere.
"""
