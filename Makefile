PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: install demo check test regress test-all docs

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml lock.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint lock.txt --editable '.[dev]'
	touch $@

# Street scenes that are rendered: no download, no licence to ask for.
demo: install
	$(BIN)/python -m harness run --workspace demo/runs --out demo/report

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Files of tests side by side, one thread each.
test: install
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist loadfile -m 'not slow and not gpu'

# Printed numbers that need no data, and those of the default run.
regress: install
	$(BIN)/python -m harness regress papers
	$(BIN)/python -m pytest tests/test_golden.py

# The site, in docs/_build: a warning or a link that leads nowhere ends it.
docs: install
	$(BIN)/python -m pip install --quiet --constraint lock.txt --editable '.[docs]'
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet docs docs/_build

test-all: install
	$(BIN)/python -m pytest
