# `make` on a fresh machine needs Python 3.11 to 3.13 and a network or a package mirror; everything else it installs into
# .venv, once, at the versions in constraints.txt.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

PYTHON ?= python3
VENV ?= .venv
CORES ?= all
BIN := $(VENV)/bin
REFERENCE := workflow/runs/reference.yaml
DATA = $(or $(LUNARSITE_REFERENCE),../shared/moon)
INSTALL = $(BIN)/python -m pip install --quiet --compile --constraint constraints.txt --editable

.PHONY: help run test lint format benchmark reference config clean

help:  ## Say what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 18

run: $(VENV)/.run  ## Make the default run: the synthetic south pole, results in results/default/
	$(BIN)/snakemake --cores $(CORES)

test: $(VENV)/.dev  ## Run the tests
	$(BIN)/python -m pytest

lint: $(VENV)/.dev  ## Check style, types and the workflow
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

format: $(VENV)/.dev  ## Format code and workflow
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

benchmark: $(VENV)/.dev  ## Measure speed and memory against peers, then the rules of the runs made so far
	# Status 3: a peer that is not installed was skipped, and the script says so.
	status=0; for script in benchmarks/bench_*.py; do echo "== $$script"; \
	  $(BIN)/python "$$script" || [ $$? -eq 3 ] || status=1; done; exit $$status

reference: $(VENV)/.dev  ## Run the pipeline on the reference data beside the checkout and check it
	mkdir -p results
	sed 's#\.\./shared/moon#$(DATA)#' $(REFERENCE) > results/reference.yaml
	$(BIN)/snakemake --cores $(CORES) --configfile results/reference.yaml
	LUNARSITE_REFERENCE=$(DATA) LUNARSITE_REFERENCE_RUN=results/reference $(BIN)/python -m pytest tests/reference

config: $(VENV)/.run  ## Write config.yaml and config.schema.json from lunarsite/settings/
	$(BIN)/python -m lunarsite.config

clean:  ## Remove the virtual environment, caches and compiled kernels (results stay)
	rm -rf "$${XDG_CACHE_HOME:-$$HOME/.cache}/lunarsite" $(VENV) .mypy_cache .ruff_cache .pytest_cache build ./*.egg-info

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' || \
	  { echo "lunarsite needs Python 3.11, 3.12 or 3.13; this is $$($(PYTHON) --version). Set PYTHON=python3.12, say."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) '.[workflow,ml]'
	touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) '.[workflow,ml,web,dev]'
	touch $(VENV)/.run $@
