PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: install demo check test regress table test-all docs

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

# A paper's table from training to print, as reports/papers/recipes has it:
# make table PAPER=mspfn TABLE=2 SIZE=tiny, or DATA=DIR with what the recipe's comments name.
SIZE ?= full
OUT ?= tables/$(PAPER)-$(TABLE)-$(SIZE)
table: install
	@test "$(SIZE)" = tiny -o -n "$(DATA)" || { echo "make table: DATA=DIR, or SIZE=tiny"; exit 2; }
	$(BIN)/python benchmarks/table.py $(PAPER) $(TABLE) $(OUT) $(if $(filter tiny,$(SIZE)),,--data $(DATA))

test-all: install
	$(BIN)/python -m pytest
