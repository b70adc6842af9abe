"""Numbers against print, an older run, a recomputation; data sets."""
