PYTHON ?= python
# The data sets for `make bench`: a folder with an INDEX.json, as benchmarks/real_data.py reads it.
DATA ?= data
BENCH ?= --splits 1
# Where the scores that thresholds are compared on are kept.
CACHE ?= .benchmark-scores

.DEFAULT_GOAL := help
.PHONY: help test lint type docs example gallery check lowest dist bench

help:  ## List the targets
	@grep -E '^[a-z]+:.*  ## ' $(MAKEFILE_LIST) | sed -E 's/:.*  ## /\t/' | expand -t 10

test:  ## Run the tests
	$(PYTHON) -m pytest

lint:  ## Check style and formatting
	$(PYTHON) -m ruff check
	$(PYTHON) -m ruff format --check

type:  ## Check types
	$(PYTHON) -m mypy

docs:  ## Build the guide and the reference, in docs/_build/html; warnings are errors
	rm -rf docs/_build docs/api
	$(PYTHON) -m sphinx -W --keep-going -n -q -b html -d docs/_build/doctrees docs docs/_build/html

example:  ## Run the quickstart
	$(PYTHON) examples/quickstart.py

gallery:  ## Run the other examples, in short
	for name in constant_predictions two_sigmoids rare_sequences two_inputs hundred_labels \
	    credit_card_fraud optuna_search; do \
	    echo "== $$name"; $(PYTHON) examples/$$name.py --fast || exit 1; done

check: lint type docs test example gallery  ## All of these: what CI runs, without its installation

lowest:  ## Run the tests on the lowest versions that pyproject.toml allows, in an environment in build/lowest
	$(PYTHON) -m venv --clear build/lowest
	build/lowest/bin/python -m pip install -q -c .ci/lowest.txt -e ".[test]"
	build/lowest/bin/python -m pytest

dist:  ## Build the wheel and the sdist, check them, and try the wheel in an environment of its own
	rm -rf dist build/wheel
	$(PYTHON) -m build
	$(PYTHON) -m twine check --strict dist/*
	$(PYTHON) -m venv --clear build/wheel
	build/wheel/bin/python -m pip install -q "$$(echo dist/*.whl)[plot]"
	cp examples/quickstart.py examples/console.py build/wheel
	cd build/wheel && bin/python quickstart.py

bench:  ## Compare speed with SciKeras and ranking with scikit-learn; needs data: make bench DATA=FOLDER
	for name in cross_validation long_fit prediction grid_search leftovers memory threshold_search; do \
	    $(PYTHON) benchmarks/$$name.py || exit 1; done
	$(PYTHON) benchmarks/default_network.py --data $(DATA) $(BENCH)
	$(PYTHON) benchmarks/comparison.py --data $(DATA) --cache $(CACHE)
	$(PYTHON) benchmarks/imbalance_methods.py --data $(DATA) --cache $(CACHE)
	$(PYTHON) benchmarks/regret_scores.py --data $(DATA) --cache $(CACHE) $(BENCH)
	$(PYTHON) benchmarks/threshold_regret.py --cache $(CACHE) $(BENCH)
