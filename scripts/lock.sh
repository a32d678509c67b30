#!/bin/sh
# Make requirements.txt and requirements-dev.txt again from pyproject.toml.
# Usage: scripts/lock.sh [uv pip compile options, for example --upgrade]
# uv is not a dependency of the project: it is installed beside it, in .lock-venv.
set -eu
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
if ! command -v uv >/dev/null 2>&1; then
    if [ ! -x .lock-venv/bin/uv ]; then
        "$python" -m venv .lock-venv
        .lock-venv/bin/pip install --quiet uv
    fi
    PATH="$PWD/.lock-venv/bin:$PATH"
fi

compile() {
    uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
        --no-header --no-annotate --quiet "$@"
}
compile --output-file requirements.txt "$@"
# The development set keeps every version of the run-time set.
compile --extra dev --constraint requirements.txt --output-file requirements-dev.txt "$@"

if grep -nE '^ *(-i|--(extra-)?index-url|--find-links)|://' requirements.txt requirements-dev.txt; then
    echo "lock.sh: the requirement files must name no index or host" >&2
    exit 1
fi
