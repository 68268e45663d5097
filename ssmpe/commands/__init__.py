"""What ``python -m ssmpe`` can do: a module for each command."""
