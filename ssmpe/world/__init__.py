"""The embedded world: a miniature of every dataset, rendered from scores and sampled sounds.

It is sampled General MIDI: scores on it are comparable with each other, not with published ones.
"""
