// A WebSocket server for node, over any stream, on the module that this package builds. `index.d.ts` documents everything.

import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { createServer as createTlsServer } from "node:tls";

import { Connection, isTrap } from "./connection.js";
import { Instance, WebSocketError } from "./instance.js";

export { WebSocketError };

/** The settings, in the order of `ws_configure`, with the defaults of the Rust crate. */
const SETTINGS = {
  maxMessageSize: 1024 * 1024,
  maxHeadSize: 16 * 1024,
  maxBuffered: 1024 * 1024,
  openTimeout: 10_000,
  pingInterval: 20_000,
  pingTimeout: 20_000,
  closeTimeout: 10_000,
  writeTimeout: 10_000,
  lingerTimeout: 2_000,
  deflate: false,
};

/** How late a deadline may be noticed, in milliseconds: so often all connections are looked at, at most. */
const RESOLUTION = 50;

const MODULE = new URL("websocket_proto.wasm", import.meta.url);

export async function load(file = MODULE) {
  return WebAssembly.compile(await readFile(file));
}

export class WebSocketServer {
  #module;
  #settings;
  #handlers;
  #instance;
  #connections = new Set();
  #isClosing = false;
  #timer = null;
  #timerDue = Infinity;

  constructor(module, options = {}) {
    this.#module = module;
    this.#handlers = options;
    this.#settings = Object.entries(SETTINGS).map(([name, initial]) => setting(name, options[name] ?? initial, initial));
    this.#instance = this.#instantiate();
  }

  /** The connections that have not ended, including those that are not open yet. */
  get connections() {
    return this.#connections;
  }

  /** The size of the memory of the WebAssembly instance, in bytes. */
  get memorySize() {
    return this.#instance?.memorySize ?? 0;
  }

  accept(stream, head) {
    stream.setNoDelay?.(true);
    try {
      this.#instance ??= this.#instantiate();
      const connection = new Connection(this, this.#instance, stream, head);
      this.#connections.add(connection);
      if (this.#isClosing) connection.abort();
      return connection;
    } catch (error) {
      stream.destroy();
      throw error;
    }
  }

  upgrade(request, stream, head = Buffer.alloc(0)) {
    const lines = [`${request.method} ${request.url} HTTP/${request.httpVersion}`];
    for (let i = 0; i < request.rawHeaders.length; i += 2) {
      lines.push(`${request.rawHeaders[i]}: ${request.rawHeaders[i + 1]}`);
    }
    const bytes = Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
    stream.setTimeout?.(0);
    return this.accept(stream, Buffer.concat([bytes, head]));
  }

  async close(code = 1001, reason = "") {
    this.checkClose(code, reason);
    this.#isClosing = true;
    const connections = [...this.#connections];
    for (const connection of connections) this.#dismiss(connection, code, reason);
    await Promise.all(connections.map((connection) => connection.ended));
  }

  #instantiate() {
    const instance = new Instance(this.#module);
    instance.configure(this.#settings);
    return instance;
  }

  #dismiss(connection, code, reason) {
    try {
      connection.leave(code, reason);
    } catch (error) {
      this.report(error, connection);
      connection.abort();
    }
  }

  // What follows is for `serve` and `Connection`.

  /** Throws if no connection could be closed so. */
  checkClose(code = 1001, reason = "") {
    if (!Number.isInteger(code)) throw new TypeError("a close code is an integer");
    try {
      this.#instance?.checkClose(code, String(reason));
    } catch (error) {
      if (!isTrap(error)) throw error;
      this.trapped(this.#instance, error);
    }
  }

  get isClosing() {
    return this.#isClosing;
  }

  ask(request, connection) {
    return this.#handlers.request?.(request, connection);
  }

  invoke(name, connection, data) {
    return this.#handlers[name]?.(connection, data);
  }

  report(error, connection) {
    if (this.#handlers.error === undefined) console.error(error);
    else this.#handlers.error(error, connection);
  }

  /** The state of an instance that trapped may be incomplete, so that its connections are lost. Later ones get a new instance. */
  trapped(instance, error) {
    if (instance !== this.#instance) return;
    this.#instance = null; // `accept` creates the next one, which may fail
    const lost = [...this.#connections];
    this.#connections.clear();
    this.report(error, null);
    for (const connection of lost) connection.lose(error);
  }

  ended(connection, end) {
    this.#connections.delete(connection);
    try {
      const returned = this.#handlers.close?.(connection, end);
      returned?.then?.(undefined, (error) => this.report(error, connection));
    } catch (error) {
      this.report(error, connection);
    }
  }

  /** A connection has a deadline. One timer serves all. */
  awaits(deadline) {
    if (deadline >= this.#timerDue) return;
    clearTimeout(this.#timer);
    const left = Math.min(Math.max(Math.ceil(deadline - performance.now()), RESOLUTION), 2 ** 31 - 1);
    this.#timerDue = performance.now() + left;
    // After the sockets, which may have input from while the program was busy.
    this.#timer = setTimeout(() => setImmediate(this.#tick), left).unref();
  }

  #tick = () => {
    this.#timerDue = Infinity;
    const now = performance.now();
    let next = Infinity;
    for (const connection of this.#connections) {
      if (connection.deadline <= now) connection.isDue();
      if (connection.deadline < next) next = connection.deadline;
    }
    if (next < Infinity) this.awaits(next);
  };
}

export async function serve(options) {
  const { port = 0, host, tls, maxConnections, module = await load() } = options;
  const webSockets = new WebSocketServer(module, options);
  const transport = { allowHalfOpen: true, noDelay: true };
  const server = tls
    ? createTlsServer({ handshakeTimeout: options.openTimeout ?? SETTINGS.openTimeout, ...tls, ...transport })
    : createServer(transport);
  if (maxConnections !== undefined) server.maxConnections = maxConnections;
  server.on(tls ? "secureConnection" : "connection", (stream) => {
    try {
      webSockets.accept(stream);
    } catch (error) {
      webSockets.report(error, null);
    }
  });
  server.on("tlsClientError", () => {}); // node closes the socket
  await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  server.removeAllListeners("error").on("error", (error) => webSockets.report(error, null));
  return {
    address: server.address(),
    webSockets,
    async close(code, reason) {
      webSockets.checkClose(code, reason); // before it stops listening
      const closed = new Promise((resolve) => server.close(resolve));
      await webSockets.close(code, reason);
      await closed;
    },
  };
}

function setting(name, value, initial) {
  if (typeof value !== typeof initial) throw new TypeError(`${name} is a ${typeof initial}`);
  return Number(value);
}
