"""The commands of ``ssmpe``, a module each; what takes long to import, they import as they run."""
