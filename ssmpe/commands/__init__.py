"""The commands of ``python -m ssmpe``, a module each."""
