# Everything starts here: `make test` and `make figures` set up what they need in .venv and touch nothing outside.
PYTHON ?= python3
# Where torch comes from, if not from the default index; for example https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=
# Two workers; the tests of one file stay together and share what they build.
PYTEST_ARGS ?= -n 2 --dist loadfile

BIN = .venv/bin
READY = .venv/.ready
JOBS = 1
EXPERIMENTS = stdp_window frequency_dependence triplets_quadruplets spike_doublets burst_pairing paired_pulse tetanus bcm_curve \
    memory_lifetime stc_protocols stc_two_pathway stc_early_phase bss2_stc bss2_random_bits bss2_timestep bss2_stdp bss2_rounding \
    bimodal_weights firing_patterns fit_stdp_curve fit_stc fit_lif_to_trace fit_adex_to_spikes fit_grasshopper surrogates twin_parity \
    lzc_of_sources lzc_classifier lzc_after_network tempotron_capacity

help: ## print the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "Settings: PYTHON=python3.12, TORCH_INDEX=https://download.pytorch.org/whl/cpu, PYTEST_ARGS='-n 2 -k plan', JOBS=2 (figures)"

preflight: ## say what is missing on this machine, if anything is
	@sh tools/preflight.sh "$(PYTHON)" "$(MAKE)"

venv: $(READY) ## set up .venv with the versions of constraints.txt

$(READY): constraints.txt setup.cfg pyproject.toml | preflight
	$(BIN)/python -c '' 2>/dev/null || { rm -rf .venv && "$(PYTHON)" -m venv .venv; }
	$(BIN)/python -m pip install --quiet -c constraints.txt --upgrade pip setuptools wheel
	test -z "$(TORCH_INDEX)" || $(BIN)/python -m pip install --quiet -c constraints.txt --index-url "$(TORCH_INDEX)" torch
	$(BIN)/python -m pip install --quiet -c constraints.txt --build-constraint constraints.txt -e '.[dev]'
	touch $(READY)

figures: $(READY) ## run the protocols and draw their figures
ifeq ($(JOBS),1)
	MPLBACKEND=Agg $(BIN)/bioneuro run $(foreach stem,$(EXPERIMENTS),protocols/$(stem).py figures/$(stem).py)
else
	printf '%s\n' $(EXPERIMENTS) | MPLBACKEND=Agg xargs -P $(JOBS) -I{} $(BIN)/bioneuro run protocols/{}.py figures/{}.py
endif

test: $(READY) ## run the tests, without those marked slow
	$(BIN)/python -m pytest $(PYTEST_ARGS)

slow: $(READY) ## run the tests marked slow
	$(BIN)/python -m pytest $(PYTEST_ARGS) -m slow

lint: $(READY) ## ruff, mypy and the arrows between rooms
	$(BIN)/ruff check .
	$(BIN)/mypy bioneuro
	$(BIN)/lint-imports

ledger: $(READY) ## write the fidelity ledger anew
	$(BIN)/python -m bioneuro.ledger

bench: $(READY) ## measure against peers, side by side
	$(BIN)/python bench/run.py

clean: ## remove .venv and every cache in this folder; results stay
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find bioneuro tests tools protocols figures bench -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

.PHONY: help preflight venv figures test slow lint ledger bench clean
