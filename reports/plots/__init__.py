"""Plots of a run: `figure` at the bottom, one file per plot, `plots` on top."""
