// Memory and throughput of echo servers side by side, each in a process of its own: this package and `ws`.
//
//     node measure.js [ROUNDS]
//
// A client on raw sockets, the same for all, takes turns between the servers, so that other work on the machine slows all alike. Prints
// the processor time of the server for a message, relative to this package: below 1 is faster. Of the rounds, the fastest counts. The
// memory is the growth of the server's resident set for idle connections.

import { fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";

import { serve } from "../js/index.js";
import { HEAD, frame } from "./client.js";

const LIMITS = { maxMessageSize: 2 << 20, maxBuffered: 8 << 20 };
const IDLE = 2000;
/** Connections that are opened before, so that the heaps have grown. */
const BEFORE = 4000;
/** Size of a message, messages that are sent before the echoes are read, and repetitions. */
const LOADS = [[125, 1, 400], [125, 64, 60], [16 * 1024, 16, 30], [1 << 20, 1, 25]];

const servers = {
  wasm: () => serve({ host: "127.0.0.1", ...LIMITS, message: (connection, data) => void connection.send(data) }),
  ws: async () => {
    const { WebSocketServer } = createRequire(import.meta.url)("ws");
    const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false, maxPayload: LIMITS.maxMessageSize });
    server.on("connection", (socket) => socket.on("message", (data, binary) => socket.send(data, { binary })));
    await once(server, "listening");
    return { address: server.address() };
  },
};

async function child(name) {
  const server = await servers[name]();
  process.on("message", () => {
    globalThis.gc?.();
    const { user, system } = process.cpuUsage();
    process.send({ time: user + system, memory: process.memoryUsage(), wasm: server.webSockets?.memorySize ?? 0, rss: resident() });
  });
  process.send(server.address.port);
}

/** In bytes. */
function resident() {
  return 1024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1]);
}

async function start(name) {
  const process = fork(fileURLToPath(import.meta.url), ["--child", name], { execArgv: ["--expose-gc"] });
  const [port] = await once(process, "message");
  return { name, process, port, times: [] };
}

async function usage({ process }) {
  const answer = once(process, "message");
  process.send("usage");
  return (await answer)[0];
}

async function open({ port }) {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  socket.write(HEAD);
  await once(socket, "data");
  return socket;
}

/** Sends `count` messages at once, and waits for as many echoes. */
function exchange(socket, bytes, expected) {
  return new Promise((resolve) => {
    let left = expected;
    const receive = (chunk) => {
      left -= chunk.length;
      if (left > 0) return;
      socket.off("data", receive);
      resolve();
    };
    socket.on("data", receive);
    socket.write(bytes);
  });
}

async function throughput(all, rounds) {
  for (const [size, count, repetitions] of LOADS) {
    const message = frame(2, Buffer.alloc(size, "x"));
    const bytes = Buffer.concat(Array(count).fill(message));
    const echoes = (message.length - 4) * count;
    for (const server of all) [server.times, server.socket] = [[], await open(server)];
    for (let round = 0; round < rounds; round++) {
      for (const server of all) {
        const before = (await usage(server)).time;
        for (let i = 0; i < repetitions; i++) await exchange(server.socket, bytes, echoes);
        server.times.push(((await usage(server)).time - before) / repetitions / count);
      }
    }
    const best = all.map(({ times }) => Math.min(...times));
    const ratios = all.map(({ name }, i) => `${name} ${(best[i] / best[0]).toFixed(2)}`);
    console.log(`     ${size} bytes, ${count} at a time: ${ratios.join(", ")} (${best[0].toFixed(1)} us of processor time for one)`);
    for (const { socket } of all) socket.destroy();
  }
}

async function memory(server) {
  const sockets = [];
  const grow = async (count) => {
    for (let i = 0; i < count; i++) sockets.push(await open(server));
    await sleep(200);
    return usage(server);
  };
  const before = await grow(BEFORE);
  const after = await grow(IDLE);
  const each = (key) => Math.round((key(after) - key(before)) / IDLE);
  const parts = `${each(({ memory }) => memory.heapUsed)} of them in the heap of JavaScript, ${each(({ wasm }) => wasm)} in the WebAssembly memory`;
  console.log(`     ${server.name}: ${each(({ rss }) => rss)} bytes for each of ${IDLE} idle connections, ${parts}`);
  for (const socket of sockets) socket.destroy();
}

const [first, second] = process.argv.slice(2);
if (first === "--child") {
  await child(second);
} else {
  const all = await Promise.all(Object.keys(servers).map(start));
  for (const server of all) await memory(server);
  await throughput(all, Number(first ?? 9));
  for (const { process } of all) process.kill();
}
