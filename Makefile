PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SITE = $(wildcard $(VENV)/lib/python3*/site-packages)

.PHONY: install demo check test test-all

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml lock.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint lock.txt --editable '.[dev]'
	touch $@

# The photographs that installed packages ship: no download, no licence to ask for.
demo: install
	mkdir -p demo/photos
	cp $(SITE)/ultralytics/assets/*.jpg demo/photos
	cd $(SITE)/skimage/data && cp astronaut.png chelsea.png coffee.png motorcycle_left.png rocket.jpg $(CURDIR)/demo/photos
	$(BIN)/python -m harness run --dataset folder --data-root demo/photos --task none --workspace demo/runs --out demo/report

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Files of tests side by side, one thread each.
test: install
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist loadfile -m 'not slow and not gpu'

test-all: install
	$(BIN)/python -m pytest
