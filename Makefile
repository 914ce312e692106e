# make demo   the whole pipeline on the embedded sample corpus
# make test   the test suite (make lint: ruff and mypy)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help setup setup-dev demo test test-kills test-faults lint format clean
.DEFAULT_GOAL := help

help:
	@echo "make demo    raw text to a publishable model in minutes, on this machine"
	@echo "make test    the test suite"
	@echo "make test-kills   SIGKILL at hundreds of instants of all stages (20 minutes)"
	@echo "make test-faults  those of training alone (5 minutes)"
	@echo "make lint    ruff and mypy"
	@echo "make clean   delete .venv (the workspace with your models stays)"

$(BIN)/.installed: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 11) <= v[:2] <= (3, 13) else "Chapbook needs Python 3.11 to 3.13, and $(PYTHON) is %d.%d. Name another: make PYTHON=python3.12 ..." % v[:2])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(BIN)/.installed-dev: $(BIN)/.installed requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

setup: $(BIN)/.installed
setup-dev: $(BIN)/.installed-dev

demo: setup
	$(BIN)/python -m chapbook run --config configs/demo.yaml

# Two workers: most tests wait for a process of one thread.
test: setup-dev
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-kills: setup-dev
	$(BIN)/python -m pytest -m kills

# The part of test-kills that kills trainings.
test-faults: setup-dev
	$(BIN)/python -m pytest -m kills tests/faults/test_kill_training.py

lint: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV)
