"""One writer per dataset: a recording's plan, and how it is put on disk in the real layout."""
