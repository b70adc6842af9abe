"""Numbers as text, CSV, Markdown, LaTeX, sentences."""
