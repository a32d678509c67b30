#!/bin/sh
# Install the system packages that some test suites and drivers use:
#   libzbar0     the second code decoder (pyzbar)
#   chromium     the browser suite
#   fonts        Chinese ones, for its pictures: without one a page in Chinese is a row of boxes
#   postgresql   the PostgreSQL suite, where its Python wheel does not run
# Where apt or the rights to use it are missing, it says so and ends well: the
# suites that need a missing package then name it (`make check` fails on it).
set -eu

missing=
has_library() { PATH="$PATH:/sbin:/usr/sbin" ldconfig -p 2>/dev/null | grep -q "$1"; }
has_chinese_font() { fc-list :lang=zh 2>/dev/null | grep -q .; }
has_postgresql() { command -v initdb >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; }

has_library 'libzbar\.so\.0' || missing="$missing libzbar0"
command -v chromium >/dev/null 2>&1 || missing="$missing chromium"
# fc-list comes with fontconfig.
has_chinese_font || missing="$missing fontconfig fonts-wqy-microhei"
has_postgresql || missing="$missing postgresql"
# What `make .venv` needs on Debian's own Python.
"${PYTHON:-python3}" -c 'import ensurepip' 2>/dev/null || missing="$missing python3-venv"

if [ -z "$missing" ]; then
    echo "system packages: all there"
    exit 0
fi
if ! command -v apt-get >/dev/null 2>&1; then
    echo "system packages: no apt here; install by hand:$missing"
    exit 0
fi
if [ "$(id -u)" -eq 0 ]; then
    as_root=
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    as_root=sudo
else
    echo "system packages: not root and no sudo without a password; run: sudo apt-get install$missing"
    exit 0
fi

echo "system packages: installing$missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# No service may start by itself: the tests run their own servers.
# shellcheck disable=SC2086  # $missing and $as_root are lists of words
if ! { $as_root apt-get update && $as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
    apt-get install --yes --no-install-recommends $missing; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "system packages: apt could not install$missing (its last lines are above)" >&2
    exit 1
fi
echo "system packages: installed$missing"
