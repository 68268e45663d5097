"""Music on disk: datasets in their published layouts, decoded audio, and excerpts drawn from it."""
