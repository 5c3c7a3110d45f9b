// Runs a WebAssembly program, which finds all files of the machine: node --no-warnings wasi.mjs FILE [ARGUMENT...]
// It runs in a process of its own, which tells its status before it ends: node 20 may crash after a program with much memory.
import { spawnSync } from "node:child_process";
import { readFileSync, writeSync } from "node:fs";
import { WASI } from "node:wasi";

const STATUS = 3;

function run(args) {
  const wasi = new WASI({ version: "preview1", args, env: process.env, preopens: { "/": "/" }, returnOnExit: true });
  const module = new WebAssembly.Module(readFileSync(args[0]));
  writeSync(STATUS, String(wasi.start(new WebAssembly.Instance(module, wasi.getImportObject()))));
}

const [node, ...args] = process.argv;
if (process.env.WASI_CHILD) {
  run(args.slice(1));
} else {
  const stdio = ["inherit", "inherit", "inherit", "pipe"];
  const child = spawnSync(node, [...process.execArgv, ...args], { env: { ...process.env, WASI_CHILD: "1" }, stdio });
  process.exitCode = Number(child.output[STATUS].toString() || 1);
}
