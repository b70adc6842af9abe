"""Runs laid out as the field and papers know them; each makes Markdown and LaTeX of some runs."""
