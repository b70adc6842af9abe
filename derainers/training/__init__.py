"""Training of the bundled derainers."""
