/// <reference types="node" />
import type { Buffer } from "node:buffer";
import type { IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import type { TlsOptions } from "node:tls";

/** The payload of a binary message to send. It is copied. */
export type Bytes = ArrayBuffer | SharedArrayBuffer | ArrayBufferView;

/** Header lines: an object, or a list of pairs for names that repeat. Each character of a value is a byte (ISO-8859-1). */
export type Headers = Record<string, string> | [name: string, value: string][];

/** A request, WebSocket or not. */
export interface Request {
  readonly method: string;
  /** The path and the query, as sent. */
  readonly url: string;
  /** The header lines, in their order, with the names as sent. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** The subprotocols that the client offers, in its order of preference. */
  readonly subprotocols: readonly string[];
  /** Whether this is a valid WebSocket request. Others get a 426 or a 400 if they are accepted. */
  readonly isWebSocket: boolean;
  /**
   * Whether a page of this server has sent it: the Origin is the host and port that the request is for. A server for its own pages
   * has to check it (RFC 6455 section 10.2). False without an Origin, which only browsers send.
   */
  readonly isSameOrigin: boolean;
}

/** The answer to a request. Nothing, or an answer without a status, accepts it. Any other value that is not an object is a mistake. */
export type Answer =
  | void
  | { status?: undefined; /** One of those that the client offers. */ subprotocol?: string; headers?: Headers }
  | { /** From 200 to 599. */ status: number; headers?: Headers; body?: string | Uint8Array };

/** How a connection ended. */
export interface End {
  /** The close code as a browser reports it: 1005 if the Close had none, 1006 if there was none; null if the connection never opened. */
  readonly code: number | null;
  readonly reason: string;
  /** The code that was sent, 1005 for a Close without a code; null if none was sent. */
  readonly codeSent: number | null;
  /** The code of a Close that was queued but never written, as for a peer that does not read; then `codeSent` is null. */
  readonly codeUnsent: number | null;
  /** The code that was received, 1005 for a Close without a code; null if none was received. */
  readonly codeReceived: number | null;
  /** Whether the closing handshake was complete. */
  readonly isClean: boolean;
  /** Null if the connection never opened. `failure`: the peer broke a rule. `transport`: the stream ended without a Close. */
  readonly closedBy: "local" | "peer" | "failure" | "transport" | null;
  /** The deadline that was missed. */
  readonly timeout: "opening" | "ping" | "write" | "closing" | null;
  /** The status of the response, if it opened no connection. */
  readonly status: number | null;
  /** One line for a log. */
  readonly text: string;
}

/** Why a call was refused. */
export type ErrorCode =
  | "NOT_OPEN"
  | "FULL"
  | "CONTROL_TOO_LONG"
  | "UNFINISHED_MESSAGE"
  | "INVALID_CLOSE_CODE"
  | "REASON_TOO_LONG"
  | "REASON_WITHOUT_CODE"
  | "INVALID_FIELD"
  | "INVALID_STATUS"
  | "INVALID_UTF8"
  | "INVALID_ARGUMENT"
  | "NO_DEFLATE"
  | "NO_MEMORY"
  | "POISONED"
  | (string & {});

/** A call that was refused. Nothing has changed. */
export class WebSocketError extends Error {
  private constructor();
  readonly code: ErrorCode;
}

/** Sizes are in bytes, times in milliseconds; `Infinity` disables a timeout. */
export interface Settings {
  /** The largest message to receive, inflated. Default: 1 MiB. A larger one is answered with Close 1009. */
  maxMessageSize?: number;
  /** The largest head of a request. Default: 16 KiB. */
  maxHeadSize?: number;
  /**
   * The bound of the output that waits for the client. Default: 1 MiB. While so much waits, no message is delivered and nothing is
   * read, so that a handler of messages can always send one; `send` returns false, and throws `FULL` if it is called nevertheless.
   */
  maxBuffered?: number;
  /** For the opening handshake, with the time that the handler `request` takes. Default: 10 s. */
  openTimeout?: number;
  /** Between Pings. Default: 20 s. */
  pingInterval?: number;
  /** For any activity after a Ping. Default: 20 s. */
  pingTimeout?: number;
  /** For the closing handshake. Default: 10 s. */
  closeTimeout?: number;
  /** For a client that does not read. Default: 10 s. */
  writeTimeout?: number;
  /** For the client to end its side of the stream after the last byte was written. Default: 2 s. */
  lingerTimeout?: number;
  /** Whether to negotiate permessage-deflate (RFC 7692). Default: false. */
  deflate?: boolean;
}

/**
 * What a program does. Until the promise of a handler is settled, no other message is delivered to it on that connection, and nothing is
 * read. If a handler throws or rejects, its connection is closed with 1011; other connections are not concerned.
 */
export interface Handlers {
  /** Answers a request. Default: accepts it. If it throws, or its answer is a mistake, the client gets a 500. */
  request?(request: Request, connection: Connection): Answer | Promise<Answer>;
  /** The connection is open. */
  open?(connection: Connection): void | Promise<void>;
  /** A message: text is a string. */
  message?(connection: Connection, data: string | Buffer): void | Promise<void>;
  /** A Ping, which is answered automatically. */
  ping?(connection: Connection, data: Buffer): void | Promise<void>;
  pong?(connection: Connection, data: Buffer): void | Promise<void>;
  /** The last call for each connection, including those that never opened. Nothing waits for its promise. */
  close?(connection: Connection, end: End): void | Promise<void>;
  /** What a handler threw; without a connection, what concerns the server. Default: `console.error`. It must not throw. */
  error?(error: unknown, connection: Connection | null): void;
}

/** One connection, from the request to the end of the stream. */
export class Connection {
  private constructor();
  /** The stream, for what the connection does not know: the client's address, its certificate. It must be neither read nor written. */
  readonly stream: Duplex;
  /** What the client asked for; null until that has arrived. */
  readonly request: Request | null;
  /** The subprotocol; empty if there is none. */
  readonly subprotocol: string;
  /** Whether messages can be sent. False once the stream has failed, also while received messages still wait for a handler. */
  readonly isOpen: boolean;
  /** How many bytes wait to be written, with their framing. */
  readonly bufferedAmount: number;
  /** Resolves, never rejects, when the connection has ended. */
  readonly ended: Promise<End>;
  /**
   * Sends a message: text for a string, in which lone surrogates become U+FFFD, otherwise binary. Returns false if `maxBuffered` bytes
   * wait now: wait for `drained` before the next one. After true, the next one can still throw `FULL`, if Pongs were sent in between.
   *
   * Throws a `WebSocketError`: `NOT_OPEN`, `FULL`, `UNFINISHED_MESSAGE`; or a `TypeError`.
   */
  send(data: string | Bytes): boolean;
  /** Sends the next fragment of a message, and begins the message if none is being sent. Returns and throws as `send` does. */
  sendFragment(data: string | Bytes, isLast: boolean): boolean;
  /** Resolves when fewer than `maxBuffered` bytes wait, or when the connection has ended. */
  drained(): Promise<void>;
  /** Sends a Ping with at most 125 bytes. Throws `NOT_OPEN` or `CONTROL_TOO_LONG`. */
  ping(data?: string | Bytes): boolean;
  /**
   * Starts the closing handshake; `ended` resolves when it is complete. No further message is delivered, as in browsers. `reason`: at most
   * 123 bytes. Throws `NOT_OPEN`, `INVALID_CLOSE_CODE` or `REASON_TOO_LONG`.
   */
  close(code?: number, reason?: string): void;
  /** Ends the connection without a closing handshake, and destroys the stream. */
  abort(): void;
}

/** Serves WebSocket on streams. All its connections share one WebAssembly instance, and run on the thread that created the server. */
export class WebSocketServer {
  constructor(module: WebAssembly.Module, options?: Settings & Handlers);
  /** The connections that have not ended, including those that are not open yet. */
  readonly connections: ReadonlySet<Connection>;
  /**
   * The size of the WebAssembly memory, in bytes. It grows up to 2 GiB, and does not shrink: freed memory is used again. 0 after a trap,
   * until the next connection.
   */
  readonly memorySize: number;
  /**
   * Serves a stream on which a client is about to send its request: a socket of `node:net` or `node:tls`, created with `allowHalfOpen`,
   * or any other duplex stream of bytes. `head`: what was already read from it. Throws, and destroys the stream, if the memory is
   * exhausted, or if no new instance can be created after a trap.
   */
  accept(stream: Duplex, head?: Uint8Array): Connection;
  /** Serves a request that `node:http` or `node:https` has parsed: the arguments of its event `upgrade`. */
  upgrade(request: IncomingMessage, stream: Duplex, head?: Uint8Array): Connection;
  /**
   * Closes all connections. A request that waits for its answer gets a 503, and streams accepted later are destroyed. Resolves when all
   * have ended. Rejects, and changes nothing, if the code or the reason must not be sent: see `Connection.close`.
   */
  close(code?: number, reason?: string): Promise<void>;
}

/** Compiles the module. A `WebAssembly.Module` may be sent to other threads. `file`: default: `websocket_proto.wasm`
 * beside this file. */
export function load(file?: string | URL): Promise<WebAssembly.Module>;

/** Listens on a port, over TCP or TLS. */
export function serve(
  options: Settings &
    Handlers & {
      /** Default: a free port. */
      port?: number;
      host?: string;
      /** Certificate and key, and what else `tls.createServer` takes. */
      tls?: TlsOptions;
      /** How many connections to accept at a time; further ones are closed immediately. Default: any number. */
      maxConnections?: number;
      /** Default: the result of `load`. */
      module?: WebAssembly.Module;
    },
): Promise<{
  address: AddressInfo;
  webSockets: WebSocketServer;
  /** Stops listening, and closes all connections. Rejects as `WebSocketServer.close` does. */
  close(code?: number, reason?: string): Promise<void>;
}>;
