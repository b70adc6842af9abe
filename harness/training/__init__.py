"""Derainers and task networks in training: shared folder, curve, card."""
