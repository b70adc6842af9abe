"""A frozen benchmark as MLCommons' Croissant 1.0 describes data sets: JSON that machines read."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Mapping
from typing import Any

from reports.folder import RESULTS
from reports.results.cell import IDENTITY, NO_RAIN
from reports.results.results import Results

CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "equivalentProperty": "cr:equivalentProperty",
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The context that the specification gives."""
KINDS = {
    "draws.npz": ("application/x-npz", "values of the primary metrics on resampled sets of images"),
    "images.csv": ("text/csv", "numbers of each image under each rain, behind each derainer"),
    RESULTS: ("application/json", "numbers of the whole set, what made them, and the run's spec"),
}
"""Media type of each file, and what is in it."""
SAID = {
    "image": "id of the image",
    "unit": "what the image is resampled with",
    "rain": f"rain that fell; {NO_RAIN}: dry",
    "derainer": f"what derained the image; {IDENTITY}: nothing",
    "pixels": "first 16 digits of the sha256 of the pixels shown",
}
"""The columns that are no numbers."""


def croissant(word: str, run: Results, files: Mapping[str, bytes]) -> dict[str, Any]:
    """The description.

    Args:
        word: The benchmark's, ``+NAME`` behind it where these are further rows.
        run: Its rows.
        files: Its files.

    Reference:
        Croissant format specification 1.0 and Croissant RAI 1.0, MLCommons 2024.
    """
    spec, images = run.spec, max(record.n for record in run.records)
    data = f"{images} images of {spec['dataset']} {spec['split'] or ''}".rstrip()
    rains = ", ".join(dict.fromkeys(record.rain for record in run.records))
    networks = ", ".join(f"{r.task} by {r.model}" for r in _firsts(run))
    year = (run.provenance.finished or "")[:4]
    number, plus, rows = word.removeprefix("benchmark-v").partition("+")
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "name": f"derain-harness {word}",
        "description": (
            f"What removing rain from images is worth to the networks that see them next: {data}, "
            f"under {rains} (seed {spec['seed']}), behind each derainer, scored by image quality"
            f"{' and ' if networks else ''}{networks}. Numbers of each image and of the set, with "
            "their values on resampled sets, so that a new derainer can be set beside, paired."
        ),
        "conformsTo": [
            "http://mlcommons.org/croissant/1.0",
            "http://mlcommons.org/croissant/RAI/1.0",
        ],
        "license": "https://www.apache.org/licenses/LICENSE-2.0",
        "version": f"{number}.0.0{plus}{rows}",
        "datePublished": (run.provenance.finished or "")[:10],
        "citeAs": f"The derain-harness authors: derain-harness, {word}, {year}.",
        "creator": {"@type": "sc:Organization", "name": "The derain-harness authors"},
        "rai:dataCollection": (
            "Computed by derain-harness from scenes that it renders; no person and no place was "
            "photographed for it."
            if spec["dataset"] == "streetsim"
            else f"Computed by derain-harness from {data}."
        ),
        "rai:dataUseCases": "To compare derainers in the same rain on the same images.",
        "rai:dataLimitations": (
            "Rain is made by models, and no labelled real rain is in it. Whoever trains on these "
            "images or seeds, which are public, voids the comparison."
        ),
        "distribution": [_file(name, files[name]) for name in KINDS],
        "recordSet": [_records(files["images.csv"].decode())],
    }


def _firsts(run: Results) -> list[Any]:
    """A record of each task network."""
    return list({r.judge: r for r in run.records if r.model is not None}.values())


def _file(name: str, data: bytes) -> dict[str, Any]:
    kind, said = KINDS[name]
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "description": said,
        "contentUrl": name,
        "contentSize": f"{len(data)} B",
        "encodingFormat": kind,
        "sha256": hashlib.sha256(data).hexdigest(),
    }


def _records(text: str) -> dict[str, Any]:
    """The lines of ``images.csv``, with a field for each of its columns."""
    columns = next(csv.reader(io.StringIO(text, newline="")))
    return {
        "@type": "cr:RecordSet",
        "@id": "images",
        "name": "images",
        "description": "A line for each image, rain and derainer.",
        "key": [{"@id": f"images/{name}"} for name in ("image", "rain", "derainer")],
        "field": [_field(name) for name in columns],
    }


def _field(column: str) -> dict[str, Any]:
    name = re.sub(r"[^\w.-]+", "-", column)
    return {
        "@type": "cr:Field",
        "@id": f"images/{name}",
        "name": name,
        "description": SAID.get(column, f"{column}, as docs/metrics.md defines it"),
        "dataType": "sc:Text" if column in SAID else "sc:Float",
        "source": {"fileObject": {"@id": "images.csv"}, "extract": {"column": column}},
    }
