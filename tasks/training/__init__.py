"""Trainers of our task networks."""
