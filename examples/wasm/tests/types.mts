// What the declarations allow and what they do not: checked by the TypeScript compiler, and not run.

import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";

import { type Answer, type Connection, type End, WebSocketError, WebSocketServer, load, serve } from "../js/index.js";

const module: WebAssembly.Module = await load(new URL("file:///module.wasm"));

const server = await serve({
  port: 9001,
  tls: { cert: "", key: "" },
  maxConnections: 10_000,
  maxMessageSize: 1024,
  pingInterval: Infinity,
  deflate: true,
  module,
  request({ url, headers, isSameOrigin, subprotocols }): Answer {
    const [[name, value] = ["", ""]] = headers;
    if (!isSameOrigin) return { status: 403, headers: { [name]: value }, body: url };
    return { subprotocol: subprotocols[0] ?? "", headers: [["Set-Cookie", "a"], ["Set-Cookie", "b"]] };
  },
  async message(connection, data) {
    const size: number = typeof data === "string" ? data.length : data.byteLength;
    if (!connection.send(new Float64Array([size]))) await connection.drained();
  },
  close(connection: Connection, end: End) {
    const text: string = end.closedBy === "local" ? end.text : `${end.code ?? connection.request?.url}`;
    console.log(text);
  },
  error: (error, connection) => console.error(error instanceof WebSocketError && error.code === "FULL", connection?.isOpen),
});
new WebSocketServer(module, { close: async (_, end) => void (await Promise.resolve(end)) });
await server.close(1001, "bye");

declare const request: IncomingMessage;
declare const stream: Duplex;
const webSockets = new WebSocketServer(module);
const connection = webSockets.upgrade(request, stream);
const end: End = await webSockets.accept(stream, new Uint8Array()).ended;

// @ts-expect-error: a message is a string or bytes
connection.send(1);
// @ts-expect-error: an end is read only
end.code = 1000;
// @ts-expect-error: only a server creates connections
new (connection.constructor as typeof Connection)();
// @ts-expect-error: no such setting
new WebSocketServer(module, { maxMesageSize: 1 });
// @ts-expect-error: a status is a number
await serve({ request: () => ({ status: "200" }) });
