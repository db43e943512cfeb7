PYTHON ?= python
# The data sets for `make bench`: a folder with an INDEX.json, as benchmarks/default_network.py reads it.
DATA ?= data
BENCH ?= --splits 1
# Where the scores that thresholds are compared on are kept.
CACHE ?= .benchmark-scores

.DEFAULT_GOAL := help
.PHONY: help test lint type example gallery check bench

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

gallery:  ## Run the other examples, in short
	for name in constant_predictions two_sigmoids rare_sequences two_inputs hundred_labels \
	    credit_card_fraud optuna_search; do \
	    echo "== $$name"; $(PYTHON) examples/$$name.py --fast || exit 1; done

check: lint type test example gallery  ## All of these: what CI runs, without its installation

bench:  ## Compare speed with SciKeras and ranking with scikit-learn; needs data: make bench DATA=FOLDER
	for name in cross_validation long_fit prediction grid_search leftovers memory threshold_search; do \
	    $(PYTHON) benchmarks/$$name.py || exit 1; done
	$(PYTHON) benchmarks/default_network.py --data $(DATA) $(BENCH)
	$(PYTHON) benchmarks/imbalance_methods.py --data $(DATA) --cache $(CACHE)
	$(PYTHON) benchmarks/regret_scores.py --data $(DATA) --cache $(CACHE) $(BENCH)
	$(PYTHON) benchmarks/threshold_regret.py --cache $(CACHE) $(BENCH)
