# `make` lists what there is; everything installs what it needs into .venv first
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
export OMP_NUM_THREADS ?= 2

N ?= 2000
SEED ?= 6
.PHONY: help demo test fuzz lint docs bench clean
.DEFAULT_GOAL := help

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo 'emoclip-clinic needs Python 3.11 or newer: make PYTHON=/path/to/python3.11'; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,docs]'
	@touch $@

demo: $(READY) ## the main job on the embedded synthetic cohort, offline, on a CPU
	$(BIN)/emoclip-clinic demo demo-study

test: $(READY) ## every test, on all cores
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

fuzz: $(READY) ## damage N recordings (make fuzz N=5000 SEED=7) and encode them
	FUZZ_FILES=$(N) FUZZ_SEED=$(SEED) OMP_NUM_THREADS=1 \
		$(BIN)/python -m pytest -n auto --dist load tests/test_fuzz.py $(ARGS)

lint: $(READY) ## ruff and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(READY) ## the documentation, into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: $(READY) ## measure every figure of the README's table
	OMP_NUM_THREADS=2 $(BIN)/python -m benchmarks.run

clean: ## what was built here (never a study)
	rm -rf .venv site build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
