PYTHON ?= python
# The data sets for `make bench`: a folder with an INDEX.json, as benchmarks/default_network.py reads it.
DATA ?= data
BENCH ?= --splits 1
# Where the scores that thresholds are compared on are kept.
CACHE ?= .benchmark-scores

.DEFAULT_GOAL := help
.PHONY: help test lint type example check bench

help:  ## List the targets
	@grep -E '^[a-z]+:.*  ## ' $(MAKEFILE_LIST) | sed -E 's/:.*  ## /\t/' | expand -t 10

test:  ## Run the tests
	$(PYTHON) -m pytest

lint:  ## Check style and formatting
	$(PYTHON) -m ruff check
	$(PYTHON) -m ruff format --check

type:  ## Check types
	$(PYTHON) -m mypy

example:  ## Run the quickstart
	$(PYTHON) examples/quickstart.py

check: lint type test example  ## All of these: what CI runs, without its installation

bench:  ## Compare speed with SciKeras and ranking with scikit-learn; needs data: make bench DATA=FOLDER
	for name in cross_validation long_fit prediction grid_search leftovers memory threshold_search; do \
	    $(PYTHON) benchmarks/$$name.py || exit 1; done
	$(PYTHON) benchmarks/default_network.py --data $(DATA) $(BENCH)
	$(PYTHON) benchmarks/regret_scores.py --data $(DATA) --cache $(CACHE) $(BENCH)
	$(PYTHON) benchmarks/threshold_regret.py --cache $(CACHE) $(BENCH)
