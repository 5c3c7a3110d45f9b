"""Runs a WebAssembly program with access to all files of this machine: python3 wasi.py FILE [ARGUMENT...]"""

import os
import sys

from wasmtime import Engine, ExitTrap, Linker, Module, Store, WasiConfig

config = WasiConfig()
config.argv = sys.argv[1:]
config.env = list(os.environ.items())
config.inherit_stdout()
config.inherit_stderr()
config.preopen_dir("/", "/")
engine = Engine()
store = Store(engine)
store.set_wasi(config)
linker = Linker(engine)
linker.define_wasi()
program = linker.instantiate(store, Module.from_file(engine, sys.argv[1]))
try:
    program.exports(store)["_start"](store)
except ExitTrap as end:
    sys.exit(end.code)
