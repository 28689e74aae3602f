# Every target does its own set-up: a virtual environment in .venv, pinned dependencies and, where Qt
# is needed, its system libraries (apt when root, otherwise a message that names them).
# Windows: see README.md for the equivalent pip lines.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
export PIP_CONSTRAINT := constraints.txt
# One thread each: two BLAS threads on two busy cores slow small fits up to 40 times.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
# Compiled modules are kept: tests start some hundred programs that import the same ones.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help demo gui test test-slow test-drivers studies bench docs validation pictures lint wheel versions clean

help:
	@echo "make demo       measure and fit a simulated pair, write a report (no Qt needed)"
	@echo "make gui        open the window on the simulated laboratory"
	@echo "make test       all tests but the slow ones;  make test-slow: the slow ones"
	@echo "make bench      measured ratios against peers;  make lint: ruff, mypy, layers"
	@echo "make docs       the documentation's site, tutorials executed;  make pictures: redraw its pictures"
	@echo "make validation  measure what the fits are worth, half an hour;  its page is in the documentation"
	@echo "make wheel      build and check the wheel"
	@echo "make studies    long simulation studies, kills and fault campaigns; by hand, not in CI"
	@echo "make test-drivers  drivers that others wrote against the virtual laboratory"
	@echo "make versions   tests with the lowest and the newest versions of what is depended on"

$(BIN)/python:
	@sh .ci/make-venv "$(PYTHON)" $(VENV)

$(VENV)/.base: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) -e .
	@touch $@

$(VENV)/.gui: $(VENV)/.base
	$(PIP) -e ".[gui]"
	@sh .ci/qt-libraries $(BIN)/python
	@touch $@

$(VENV)/.dev: $(VENV)/.base
	$(PIP) -e ".[dev]"
	@sh .ci/qt-libraries $(BIN)/python
	@touch $@

$(VENV)/.docs: $(VENV)/.base
	$(PIP) -e ".[docs]"
	@touch $@

demo: $(VENV)/.base
	$(BIN)/python -m optobind demo

gui: $(VENV)/.gui
	$(BIN)/python -m optobind gui

test: $(VENV)/.dev
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest -m "not slow and not study" -n auto --dist worksteal

test-slow: $(VENV)/.dev
	@sh .ci/x-server
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest -m "slow and realtime" --timeout 1800
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest -m "slow and not realtime" -n auto --dist worksteal --timeout 1800

studies: $(VENV)/.dev
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest -m study -n auto --dist worksteal --timeout 1800

test-drivers: $(BIN)/python
	sh .ci/drivers "$(PYTHON)"

bench: $(VENV)/.dev
	$(BIN)/python -m bench

docs: $(VENV)/.docs
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m sphinx -q -W --keep-going -b html docs docs/_build/html
	@echo "open docs/_build/html/index.html"

validation: $(VENV)/.dev
	$(BIN)/python docs/validation/make.py --work .validation

pictures: $(VENV)/.dev
	QT_QPA_PLATFORM=offscreen $(BIN)/python docs/make_pictures.py

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@mkdir -p $(VENV)/src && ln -sfn ../.. $(VENV)/src/optobind
	MYPYPATH=$(VENV)/src $(BIN)/python -m mypy -p optobind
	$(BIN)/lint-imports

wheel: $(VENV)/.dev
	sh .ci/check-wheel $(BIN)/python

versions: $(BIN)/python
	bash .ci/versions

clean:
	rm -rf $(VENV) build dist docs/_build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
