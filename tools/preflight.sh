#!/bin/sh
# What must be on the machine before anything is installed. Prints nothing if all is there; otherwise, for each thing
# that is missing, what was looked for, what was found and how to get it, and exits with 1.
#
# usage: tools/preflight.sh [python [make]]; the compiler is $CXX, else g++
python=${1:-python3}
make=${2:-make}
cxx=${CXX:-g++}
failed=0

# missing WHAT FOUND APT DNF BREW
missing() {
    failed=1
    if command -v apt-get >/dev/null 2>&1; then remedy=$3
    elif command -v dnf >/dev/null 2>&1; then remedy=$4
    elif command -v brew >/dev/null 2>&1; then remedy=$5
    else remedy="install it by your system's package manager (Debian: $3)"
    fi
    printf 'preflight: needs %s\n    found:  %s\n    remedy: %s\n' "$1" "$2" "$remedy" >&2
}

# Brian2 2.9 has wheels for Python 3.10 to 3.13, and the package is written for 3.11 and newer.
wanted="Python 3.11, 3.12 or 3.13"
choose="make PYTHON=python3.11 (whichever of these is installed)"
if ! found=$("$python" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>&1); then
    missing "$wanted" "'$python' does not run: $(printf '%s' "$found" | tail -n 1)" \
        "apt-get install python3 python3-venv, or $choose" "dnf install python3.11, or $choose" \
        "brew install python@3.11, or $choose"
elif ! "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'; then
    missing "$wanted" "'$python' is Python $found" \
        "apt-get install python3.11 python3.11-venv, then $choose" "dnf install python3.11, then $choose" \
        "brew install python@3.11, then $choose"
elif ! found=$("$python" -c 'import venv, ensurepip' 2>&1); then
    missing "the Python modules venv and ensurepip" "'$python' says: $(printf '%s' "$found" | tail -n 1)" \
        "apt-get install python3-venv" "dnf install python3-pip" "brew reinstall python@3.11"
fi

# $cxx stays unquoted: CXX may hold a launcher or options, such as "ccache g++".
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
printf '#include <cmath>\n#include <vector>\nint main() { std::vector<double> x(1, 0.0); return std::exp(x[0]) != 1.0; }\n' \
    >"$work/trial.cpp"
if ! found=$($cxx -o "$work/trial" "$work/trial.cpp" 2>&1 && "$work/trial" 2>&1); then
    missing "a C++ compiler that works (CXX, else g++)" "'$cxx': $(printf '%s' "${found:-the trial program fails}" | head -n 1)" \
        "apt-get install g++" "dnf install gcc-c++" "xcode-select --install"
fi

# Brian2's generated projects are built by `make` from the PATH, whatever runs this file.
for tool in "$make" make; do
    found=$("$tool" --version 2>&1 | head -n 1)
    case $found in
    *"GNU Make"*) ;;
    *)
        missing "GNU make" "'$tool': ${found:-no answer}" "apt-get install make" "dnf install make" \
            "brew install make, and put its gnubin folder first in PATH"
        break
        ;;
    esac
done

# The first set-up unpacks torch; later runs write caches and results.
if [ -d .venv ]; then need=500; else need=3000; fi
free=$(df -Pk . 2>/dev/null | awk 'NR == 2 { print int($4 / 1024) }')
if [ -n "$free" ] && [ "$free" -lt "$need" ]; then
    missing "$need MB of free disk space in $(pwd)" "$free MB" "free some space, or clone to a larger disk" \
        "free some space, or clone to a larger disk" "free some space, or clone to a larger disk"
fi

exit $failed
