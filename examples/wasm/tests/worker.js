// A thread with a server of its own, which also serves the streams that it is sent.

import { Duplex } from "node:stream";
import { parentPort, workerData } from "node:worker_threads";

import { serve } from "../js/index.js";

const server = await serve({
  host: "127.0.0.1",
  module: workerData.module,
  message: (connection, data) => void connection.send(data),
});
parentPort.postMessage(server.address);
parentPort.on("message", (streams) => server.webSockets.accept(Duplex.fromWeb(streams)));
