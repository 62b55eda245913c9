# `make demo` and `make test` need nothing but the machine's python3 and a C compiler.
# Choose another interpreter with `make PYTHON=python3.10 ...`.
PYTHON ?= python3
SETUP := $(PYTHON) .dev_scripts/setup_env.py
BIN := .venv/bin
# Threads that spin while they wait take the processor from those they wait for.
export OMP_WAIT_POLICY ?= PASSIVE

# Two tests at a time; each file's in one process, as they share what they build.
PYTEST := -m pytest -n 2 --dist loadfile
test test-fast test-compiled: export OMP_NUM_THREADS ?= 1

# Where `make bench` measures, and more options of it.
DEVICE ?= cpu
BENCH ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-full test test-fast test-compiled test-newest matrix
.PHONY: bench mim lint docs clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' Makefile

setup:  ## create .venv, or bring it up to date (TORCH=2.6.0, cpu, cu126: another torch)
	@$(SETUP) $(if $(TORCH),--torch '$(TORCH)') $(if $(TORCH_INDEX),--torch-index '$(TORCH_INDEX)')

demo: setup  ## train and test STPN on a small generated video set, with pictures
	$(BIN)/python projects/tiny_vid/demo.py

demo-full: setup  ## the same, and train the detector that it starts from
	$(BIN)/python projects/tiny_vid/demo.py --full

test: setup  ## run the tests
	$(BIN)/python $(PYTEST)

test-fast: setup  ## run the tests that take no longer than a few seconds each
	$(BIN)/python $(PYTEST) -m 'not slow and not gpu'

test-compiled:  ## run the tests but the long ones with mmcv's compiled operators (Python 3.8 to 3.10)
	@$(SETUP) --compiled
	@if [ -d .venv-compiled ]; then .venv-compiled/bin/python $(PYTEST) -m 'not slow and not gpu'; fi

test-newest:  ## a smoke test with the newest Python of this machine
	@$(PYTHON) .dev_scripts/matrix.py --newest

matrix:  ## try all Pythons with old and new torch, one at a time (MATRIX='--rows 3.13')
	@$(PYTHON) .dev_scripts/matrix.py $(MATRIX)

bench: setup  ## measure speed and memory (DEVICE=cuda for a GPU; BENCH='--quick' etc.)
	$(BIN)/python tools/benchmarks/bench.py --device $(DEVICE) $(BENCH)

mim: setup  ## create .venv-mim, where mim finds this package
	@$(SETUP) --mim

lint: setup  ## check style, types and who imports whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python .dev_scripts/generate_model_pages.py --check

docs: .venv-docs/installed  ## build the documentation site into build/site (Python 3.10 or later)
	.venv-docs/bin/mkdocs build --strict

.venv-docs/installed: requirements/lock/docs.txt
	$(PYTHON) -m venv .venv-docs
	.venv-docs/bin/pip install --quiet --disable-pip-version-check --no-deps -r $<
	@touch $@

clean:  ## remove the environments, caches and build folders
	rm -rf .venv .venv-compiled .venv-mim .venv-docs .venv-matrix .mypy_cache .pytest_cache .ruff_cache build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
