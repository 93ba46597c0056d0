# The commands of the project. Needs Python >= 3.11 and make; everything else goes into $(VENV).

PROFILE  ?= quick
DATA     ?=
SEEDS    ?=
CORES    ?= all
STRICT   ?=
DOWNLOAD ?=
DRY_RUN  ?=
RETRY_FAILED ?=
CLUSTER  ?=
ALLOW_DIRTY ?=
RUNS     ?= 20
KILLS    ?= 25
QUICK    ?=
BENCH    ?= regrouping training zipping pruning slicing counting information commands
LATENCY  ?=
VENV     ?= .venv
PYTHON   ?=

# Settings are text, wherever they come from: make does not expand them, and of all but DATA, which
# `quote` makes one word of a shell, the letters are such that no shell reads them as code.
SETTINGS := PROFILE SEEDS CORES STRICT DOWNLOAD DRY_RUN RETRY_FAILED CLUSTER ALLOW_DIRTY RUNS KILLS QUICK \
            BENCH LATENCY VENV PYTHON
NAMED    := $(filter command environment,$(firstword $(origin PROFILE)))
$(foreach name,$(SETTINGS) DATA CI,$(eval override $(name) := $$(value $(name))))
LETTERS  := A B C D E F G H I J K L M N O P Q R S T U V W X Y Z a b c d e f g h i j k l m n o p q r s t u \
            v w x y z 0 1 2 3 4 5 6 7 8 9 _
PLAIN    := $(LETTERS) . / , : = + - @ ~
define LINE_BREAK


endef
without  = $(if $(1),$(call without,$(wordlist 2,$(words $(1)),$(1)),$(subst $(firstword $(1)),,$(2))),$(2))
quote    = '$(subst ','\'',$(1))'
ifneq ($(words $(PROFILE))$(call without,$(LETTERS),$(PROFILE)),1)
$(error PROFILE must be the name of a file in workflow/config/, not '$(PROFILE)')
endif
$(foreach name,$(SETTINGS) DATA,$(if $(findstring $(LINE_BREAK),$($(name))),$(error $(name) must be one line)))
$(foreach name,$(SETTINGS),$(if $(strip $(call without,$(PLAIN),$($(name)))),\
    $(error $(name) must be letters, digits and _./,:=+-@~, not '$($(name))')))

# The name of the stamp holds a checksum of the lock file: a changed lock file makes the environment
# anew, a touched or checked out one does not.
READY := $(VENV)/.ready-$(shell cksum < requirements.lock | tr -s ' \t' '-')
BIN   := $(VENV)/bin
# Snakemake's plug-ins for clusters, on top of that environment: that for Slurm slows every command
# where no Slurm is.
CLUSTER_VENV  := $(VENV)-cluster
CLUSTER_READY := $(CLUSTER_VENV)/.ready-$(shell cat requirements.lock requirements-cluster.lock \
                     | cksum | tr -s ' \t' '-')
# What makes the site of docs/, and whom benchmarks are measured beside, in the same way: nobody else
# needs them.
DOCS_VENV  := $(VENV)-docs
DOCS_READY := $(DOCS_VENV)/.ready-$(shell cat requirements.lock requirements-docs.lock \
                  | cksum | tr -s ' \t' '-')
BENCH_VENV  := $(VENV)-bench
BENCH_READY := $(BENCH_VENV)/.ready-$(shell cat requirements.lock requirements-bench.lock \
                   | cksum | tr -s ' \t' '-')
runs_in = $(if $(NAMED),results/$(PROFILE),$(patsubst %/measurements.csv,%,$(wildcard $(1:%=%/*/measurements.csv))))
DRAWN  = $(call runs_in,results results/reference)
SHOWN  = $(call runs_in,results)

.DEFAULT_GOAL := help
.PHONY: help reproduce status test test-more test-cluster test-reliability bench figures report check docs \
    lint environment clean-networks clean-results

help:
	@echo 'PAM-bench: merge networks, prune them, count what every task combination costs'
	@echo
	@echo '  make reproduce      run everything of a profile: tables, figures, a page, and who is cheapest here'
	@echo '  make status         say what of a profile is up to date, what would run again, and why'
	@echo '  make figures        redraw figures from CSV files alone, without training: those of every'
	@echo '                      run in results/ and results/reference/; PROFILE=name for one'
	@echo '  make report         one page to explore a run without a connection, results/NAME/report.html,'
	@echo '                      of every run in results/; PROFILE=name for one'
	@echo '  make check          compare the measurements of a profile with results/reference/'
	@echo '  make test           unit and property tests, on the same random examples every time'
	@echo '  make test-more      property tests on other examples, and the tests that take long: whole'
	@echo '                      runs, also killed ones, what a change of code runs again, a browser'
	@echo '  make test-cluster   run the workflow on a real one-node Slurm, started for the test alone'
	@echo '  make test-reliability'
	@echo '                      kill RUNS=20 runs KILLS=25 times each at random moments; takes hours'
	@echo '  make bench          measure how fast all this is, rewrite docs/performance.md;'
	@echo '                      BENCH="training zipping" only those, QUICK=1 few rounds;'
	@echo '                      LATENCY="--results results/NAME ..." with pam bench latency as well'
	@echo '  make docs           the documentation as a site, site/index.html'
	@echo '  make lint           format and style of Python, workflow and rules'
	@echo '  make environment    only make $(VENV) from requirements.lock (the others do so themselves)'
	@echo '  make clean-networks throw away the networks of a finished run, which its tables do not need'
	@echo '  make clean-results  delete results, figures and logs of all runs but reference'
	@echo
	@echo 'Settings, written behind the command:'
	@echo '  PROFILE=quick       $(patsubst workflow/config/%.yaml,%,$(sort $(wildcard workflow/config/*.yaml)))'
	@echo '  DATA=folder         raw data already on disk;  DOWNLOAD=1: fetch what is missing'
	@echo '  SEEDS="0 1"         only these seeds; what others have finished stays and counts'
	@echo '  DRY_RUN=1           only show the jobs, and an estimate of their hours'
	@echo '  CORES=all           cores to use'
	@echo '  STRICT=1            fail if any cell failed;  RETRY_FAILED=1: run those once more'
	@echo '  CLUSTER=slurm       hand the jobs to Slurm, or to another engine by the folder of a Snakemake'
	@echo '                      profile: docs/cluster.md;  ALLOW_DIRTY=1: uncommitted code too'
	@echo '  PYTHON=python3.12   Python to make the environment with;  VENV=.venv: where'
	@echo
	@echo 'For example:  make reproduce PROFILE=fashion_mnist DATA=~/data CORES=8'

reproduce: $(if $(CLUSTER),$(CLUSTER_READY),$(READY))
	@exec $(if $(CLUSTER),$(CLUSTER_VENV)/bin,$(BIN))/python workflow/reproduce.py --end-with $$PPID --profile $(PROFILE) --cores $(CORES) \
	    $(if $(SEEDS),--seeds '$(SEEDS)') $(if $(DATA),--data=$(call quote,$(DATA))) $(if $(DOWNLOAD),--download) $(if $(STRICT),--strict) \
	    $(if $(DRY_RUN),--dry-run) $(if $(RETRY_FAILED),--retry-failed) \
	    $(if $(CLUSTER),--cluster '$(CLUSTER)') $(if $(ALLOW_DIRTY),--allow-dirty)

status: $(READY)
	@$(BIN)/python -m pam.cli status --profile $(PROFILE) $(if $(SEEDS),--seeds '$(SEEDS)') $(if $(DATA),--data=$(call quote,$(DATA)))

check: $(READY)
	@$(BIN)/python -m pam.cli check --results results/$(PROFILE) --reference results/reference/$(PROFILE)

figures: $(READY)
	@test -n '$(strip $(DRAWN))' || { echo 'make figures: there is no run in results/' >&2; exit 2; }
	@for run in $(DRAWN); do \
	    $(BIN)/python -m pam.cli figures --results $$run --out figures/$${run#results/} || exit 2; \
	    echo "figures/$${run#results/}/ drawn from $$run/*.csv"; \
	done
	@test ! -d figures/reference || \
	    $(BIN)/python -m pam.cli gallery --figures figures/reference --out docs/gallery.md

report: $(READY)
	@test -n '$(strip $(SHOWN))' || { echo 'make report: there is no run in results/' >&2; exit 2; }
	@for run in $(SHOWN); do \
	    $(BIN)/python -m pam.cli report --results $$run || exit 2; \
	    echo "$$run/report.html"; \
	done

test: $(READY)
	@$(BIN)/python -m pytest -n 2 --dist loadfile

# In CI no test depends on chance: property tests would only repeat those of make test.
test-more: $(READY)
	@HYPOTHESIS_PROFILE=$(if $(CI),same,random) $(BIN)/python -m pytest -n 2 --dist loadfile \
	    -m '(more$(if $(CI),, or hypothesis)) and not cluster'

test-cluster: $(CLUSTER_READY)
	@$(CLUSTER_VENV)/bin/python -m pytest -m cluster -rs tests/cluster

test-reliability: $(READY)
	@$(BIN)/python tests/reliability/kill_runs.py --runs $(RUNS) --kills $(KILLS) \
	    --profile $(if $(NAMED),$(PROFILE),smoke)

# Whatever is named is measured anew; the page is made from whatever has been measured so far.
bench: $(BENCH_READY)
	@failed=; \
	for name in $(BENCH); do \
	    echo "== $$name"; \
	    $(BENCH_VENV)/bin/python -m benchmarks.$$name --out docs/performance/$$name.csv \
	        $(if $(QUICK),--rounds 2) || failed="$$failed $$name"; \
	done; \
	$(if $(LATENCY),echo '== latency'; $(BENCH_VENV)/bin/python -m pam.cli bench latency $(LATENCY) \
	    --out docs/performance/latency.csv || failed="$$failed latency";) \
	$(BENCH_VENV)/bin/python -m benchmarks.page || failed="$$failed page"; \
	test -z "$$failed" || { echo "make bench: failed:$$failed" >&2; exit 1; }

docs: $(DOCS_READY)
	@NO_MKDOCS_2_WARNING=1 $(DOCS_VENV)/bin/python -m mkdocs build --strict --quiet --site-dir site
	@echo site/index.html

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/snakefmt --line-length 100 --check Snakefile workflow/rules
	@$(BIN)/snakemake --lint

environment: $(READY)

clean-networks: $(READY)
	@$(BIN)/python workflow/clean_networks.py --profile $(PROFILE)

clean-results:
	@for folder in results figures logs benchmarks/results; do \
	    test ! -d $$folder || find $$folder -mindepth 1 -maxdepth 1 ! -name reference -exec rm -rf {} +; \
	done

$(READY):
	@python=; \
	for candidate in $(or $(PYTHON),python3.11 python3.12 python3.13 python3 python); do \
	    if "$$candidate" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' \
	        2>/dev/null; then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	    echo 'make: no Python >= 3.11 with its venv module found; name one with PYTHON=/path/to/python3' >&2; \
	    exit 2; \
	fi; \
	echo "Making $(VENV) with $$($$python --version), once: 1.7 GB, a few minutes"; \
	echo "  1 of 3: an empty environment"; \
	"$$python" -m venv $(VENV)
	@echo "  2 of 3: the packages of requirements.lock, from the network or pip's cache"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@echo "  3 of 3: this project"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@rm -f $(VENV)/.ready-*
	@touch $@

# All lie on top of $(VENV), whose packages they see.
$(CLUSTER_READY) $(BENCH_READY) $(DOCS_READY): $(READY)
	@echo "Making $(@D) from $(LOCK), on top of $(VENV)"
	@$(BIN)/python -m venv --clear $(@D)
	@packages='import sysconfig; print(sysconfig.get_path("purelib"))'; \
	base=$$($(BIN)/python -c "$$packages"); own=$$($(@D)/bin/python -c "$$packages"); \
	echo "import site; site.addsitedir('$$base')" > "$$own/base.pth"
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r $(LOCK)
	@touch $@

$(CLUSTER_READY): LOCK = requirements-cluster.lock
$(BENCH_READY): LOCK = requirements-bench.lock
$(DOCS_READY): LOCK = requirements-docs.lock
