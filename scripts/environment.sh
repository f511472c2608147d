# Sourced by ./dray and ./dev: makes .venv on first use, with uv where present, else venv and pip.
# Sets nothing but the virtual environment; every failure is one line with its cure.

fail() {
    printf '%s: %s\n' "$(basename "$0")" "$1" >&2
    exit 1
}

find_python() {
    for candidate in "${DRAY_PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11; do
        [ -n "$candidate" ] || continue
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            printf '%s\n' "$candidate"
            return 0
        fi
    done
    return 1
}

# fingerprint EXTRAS: what the environment was made from; another value means it must be brought up to date.
fingerprint() {
    { printf '%s\n' "$1"; cat "$root/pyproject.toml"; } | cksum | tr -d ' \n'
}

# is_ready EXTRAS: these were installed, and pyproject.toml is still the same.
is_ready() {
    [ -f "$venv/.ready$1" ] && [ "$(cat "$venv/.ready$1")" = "$(fingerprint "$1")" ]
}

# ensure_environment EXTRAS: EXTRAS is empty or ".[dev]"-style brackets, e.g. "[dev]".
ensure_environment() {
    extras=$1
    venv=$root/.venv
    is_ready "$extras" && return 0
    # All that ./dray needs comes with the developer's tools too.
    [ -z "$extras" ] && is_ready "[dev]" && return 0
    python=$(find_python) || fail "needs Python 3.11 or newer; found $(python3 --version 2>/dev/null || echo none). Install one (Debian 12: apt install python3 python3-venv) or set DRAY_PYTHON"
    log=$root/.venv-setup.log
    printf 'Setting up .venv (first use or changed dependencies) ...\n' >&2
    if command -v uv >/dev/null 2>&1; then
        make_with_uv || fail "uv could not install the dependencies: $(cause); whole log: $log"
    else
        make_with_pip
    fi
    rm -f "$log"
    fingerprint "$extras" >"$venv/.ready$extras"
}

make_with_uv() {
    { [ -x "$venv/bin/python" ] || uv venv --quiet --python "$python" "$venv"; } >"$log" 2>&1 &&
        uv pip install --quiet --python "$venv/bin/python" -e "$root$extras" >>"$log" 2>&1
}

make_with_pip() {
    if ! [ -x "$venv/bin/pip" ]; then
        rm -rf "$venv"
        "$python" -m venv "$venv" >"$log" 2>&1 ||
            fail "$python cannot make virtual environments. On Debian or Ubuntu: apt install python3-venv (whole log: $log)"
    fi
    "$venv/bin/pip" install --quiet --disable-pip-version-check -e "$root$extras" >"$log" 2>&1 ||
        fail "pip could not install the dependencies (is the network there? behind a proxy set https_proxy, or PIP_INDEX_URL to a mirror): $(cause); whole log: $log"
}

cause() {
    grep -i -m 1 -E 'error|could not|failed' "$log" || tail -n 1 "$log"
}
