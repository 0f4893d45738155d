# In a fresh clone each of these sets everything up first; the second time there is nothing to set up.
#
#   make train         train a network and write its checkpoint       TRAIN_ARGS="--epochs 3"
#   make play          draw digits and watch them being read          PLAY_ARGS="--theme dark"
#   make test          the default tests                              TEST_ARGS="-k normalize"
#   make check         lint, typecheck and test, as CI does
#   make lint          ruff: rules and formatting
#   make typecheck     pyright
#   make pictures      the README's pictures of the drawing program, and the tests' reference pictures
#   make bench         measure the drawing program: start, latency, frames, memory
#   make figures       what networks read in other people's hands      STROKES=FOLDER FIGURES_ARGS="--checkpoint A B"
#   make shipped       train the network that comes along anew        STROKES=FOLDER TRAIN_ARGS="--without-unipen"
#   make setup         .venv alone
#   make constraints   resolve the pinned versions in .constraints/ anew
#
# PYTHON=python3.12 names the interpreter (else: the newest that works), ACCEL=cpu|cuda|tpu what jax is
# installed for (else: what is found).

.DEFAULT_GOAL := help
.PHONY: help setup train play test check lint typecheck pictures bench figures shipped constraints

PYTHON ?=
ACCEL ?=
VENV := $(if $(filter Windows_NT,$(OS)),.venv/Scripts,.venv/bin)
ifeq ($(ACCEL),cpu)
export JAX_PLATFORMS := cpu
endif

# Any Python that runs can look for the right one.
RUN_SETUP = @for python in "$(PYTHON)" python3 python py python3.14 python3.13 python3.12 python3.11 \
	"$$HOME"/.pyenv/versions/3.1*/bin/python3; do \
	if [ "$$("$$python" -c 'import sys; print(sys.version_info >= (3, 8))' 2>/dev/null)" = True ]; then \
		exec "$$python" .setup/setup.py --python "$(PYTHON)" --accel "$(ACCEL)" $(1); \
	fi; done; \
	echo "setup: no Python runs here: install 3.11 or newer from python.org, or name it with PYTHON=" >&2; exit 1

help:
	@sed -n 's/^#//p' Makefile

setup:
	$(call RUN_SETUP)

train: setup
	$(VENV)/python -m digitjax train --anew $(TRAIN_ARGS)

play: setup
	$(VENV)/python -m play $(PLAY_ARGS)

# Whole files to a worker, so that what a file compiles is compiled once; in the order of tests/conftest.py.
test: setup
	$(VENV)/python -m pytest -q -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(TEST_ARGS)

check: lint typecheck test

lint: setup
	$(VENV)/python -m ruff check
	$(VENV)/python -m ruff format --check

typecheck: setup
	$(VENV)/python -m pyright --pythonpath $(VENV)/python

bench: setup
	$(VENV)/python -m play --bench

figures: setup
	$(VENV)/python -m tests.figures "$(STROKES)" $(FIGURES_ARGS)

shipped: setup
	$(VENV)/python -m digitjax.commands.rebuild "$(STROKES)" $(TRAIN_ARGS)

pictures: setup
	$(VENV)/python -m tests.play.pictures
	$(VENV)/python -m tests.play.pictures --readme

constraints:
	$(call RUN_SETUP,--constraints)
