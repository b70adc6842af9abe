"""Labelled images in, and rain. Imports nothing of ours from other rooms."""

from __future__ import annotations

from datasets.rows import DATASETS, DatasetRow
from datasets.sample import Annotations, Dataset, DatasetError, Sample

__all__ = ["DATASETS", "Annotations", "Dataset", "DatasetError", "DatasetRow", "Sample"]
