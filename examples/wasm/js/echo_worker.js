// The echo server in a thread of its own, so that the main thread is free: echo_worker.js [HOST:PORT]
//
// The module is compiled once, and sent to the thread. Each thread has an instance, and one port; for one port in several processes, use
// `node:cluster`.

import { once } from "node:events";
import { Worker, isMainThread, parentPort, workerData } from "node:worker_threads";

import { load, serve } from "./index.js";

if (isMainThread) {
  const [host, port] = (process.argv[2] ?? "127.0.0.1:9001").split(":");
  const worker = new Worker(new URL(import.meta.url), { workerData: { module: await load(), host, port: Number(port) } });
  const [address] = await once(worker, "message");
  console.log(`listening on ws://${host}:${address.port}`);
  process.once("SIGTERM", () => worker.postMessage("stop"));
} else {
  const server = await serve({
    ...workerData,
    message(connection, data) {
      connection.send(data);
    },
  });
  parentPort.postMessage(server.address);
  parentPort.once("message", () => server.close());
}
