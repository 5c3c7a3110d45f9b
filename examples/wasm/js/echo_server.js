#!/usr/bin/env node
// An echo server: echo_server.js [--max-message BYTES] [--deflate] [--tls FILE] [HOST:PORT]
//
// FILE is a PEM file with a certificate and its key. The process ends in order on SIGTERM.

import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";

import { serve } from "./index.js";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { "max-message": { type: "string" }, deflate: { type: "boolean" }, tls: { type: "string" } },
});
const [host, port] = (positionals[0] ?? "127.0.0.1:9001").split(":");
const pem = values.tls && readFileSync(values.tls);
const server = await serve({
  host,
  port: Number(port),
  tls: pem && { cert: pem, key: pem },
  maxMessageSize: values["max-message"] && Number(values["max-message"]),
  deflate: values.deflate,
  message(connection, data) {
    connection.send(data);
  },
});
console.log(`listening on ${pem ? "wss" : "ws"}://${host}:${server.address.port}`);
process.once("SIGTERM", () => server.close());
