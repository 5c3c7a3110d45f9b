# shellcheck shell=bash
# Installs the peers in node and Python into the user's cache directory and, as root, missing packages with apt-get. Source it
# after common.sh.

# The versions of `ws` differ in how they respond to a window offered by the client.
npm_packages=(ws@8.23.0 ws818@npm:ws@8.18.0 ws821@npm:ws@8.21.0 undici@7.30.2 playwright-core@1.65.1)
pypi_packages=(websockets==17.4 aiohttp==3.14.5 picows==2.3.1 pycurl==7.49.0 tornado==6.6.1 websocket-client==1.9.2)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/websocket-proto-interop
missing=()

# need COMMAND PACKAGE: requires a command, or a file by its path, and installs Debian's PACKAGE if it is missing.
need() {
  is_here "$1" && return
  echo "installing Debian's $2"
  .ci/debian "$2" || true
  hash -r
  is_here "$1" || { missing+=("$1 (Debian: $2)"); return 0; }
}

is_here() {
  case $1 in
    /*) [ -e "$1" ] ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

# build_bridges DIR: builds the peers in Go and Java (python/bridged.py) into DIR, with Debian's packages only.
build_bridges() {
  local here
  here=$(dirname "${BASH_SOURCE[0]}")
  mkdir -p "$1"
  GO111MODULE=off GOPATH=/usr/share/gocode GOFLAGS='' go build -o "$1/bridge" "$here/go/bridge.go"
  javac -nowarn -cp "$(printf '/usr/share/java/netty-%s.jar:' buffer codec codec-http common handler resolver transport)" \
    -d "$1" "$here/java/Bridge.java"
}

# install_peers RUNNER: installs the peers and sets the paths where node and python3 find them. Exits if that fails.
install_peers() {
  need python3 python3-pip
  need node nodejs
  need npm npm
  [ ${#missing[@]} -gt 0 ] || fill_cache
  if [ ${#missing[@]} -gt 0 ]; then
    printf '%s\n' "${missing[@]/#/$1: missing: }" >&2
    exit 1
  fi
  export NODE_PATH=$cache/node_modules PYTHONPATH=$cache/python PYTHONDONTWRITEBYTECODE=1
}

# Takes a lock, because two scripts may need the cache at the same time.
fill_cache() {
  local wanted="${npm_packages[*]} ${pypi_packages[*]}" python=python3 lock
  mkdir -p "${cache%/*}"
  exec {lock}>"$cache.lock"
  flock "$lock"
  if [ "$(cat "$cache/installed" 2>/dev/null)" = "$wanted" ]; then
    exec {lock}>&- # otherwise, the next runner would wait until this one has ended
    return 0
  fi
  rm -rf "$cache" && mkdir -p "$cache"
  npm install --silent --no-audit --no-fund --prefix "$cache" "${npm_packages[@]}" \
    || missing+=("npm packages: ${npm_packages[*]}")
  # `--target` works in virtual environments and with the Pythons of Debian and pyenv. A Python without pip may have venv.
  if ! python3 -m pip --version >/dev/null 2>&1 && python3 -m venv "$cache/venv"; then
    python=$cache/venv/bin/python
  fi
  "$python" -m pip install --quiet --disable-pip-version-check --root-user-action ignore --only-binary :all: \
    --target "$cache/python" "${pypi_packages[@]}" || missing+=("PyPI packages: ${pypi_packages[*]}")
  [ ${#missing[@]} -gt 0 ] || echo "$wanted" >"$cache/installed"
  exec {lock}>&-
}
