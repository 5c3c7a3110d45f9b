// A client that writes the bytes it is asked for, and shows what it receives as frames.

import { once } from "node:events";
import { connect } from "node:net";

export const HEAD = Buffer.from(
  "GET /path?query HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
);

/** A frame of a client, masked with a fixed key. */
export function frame(opcode, payload = Buffer.alloc(0), { fin = true, masked = true } = {}) {
  payload = Buffer.from(payload);
  const key = Buffer.from([1, 2, 3, 4]);
  const size = payload.length;
  const head =
    size < 126
      ? Buffer.from([0, size])
      : size < 65536
        ? Buffer.from([0, 126, size >> 8, size & 255])
        : Buffer.from([0, 127, 0, 0, 0, 0, size >>> 24, (size >> 16) & 255, (size >> 8) & 255, size & 255]);
  head[0] = (fin ? 0x80 : 0) | opcode;
  if (!masked) return Buffer.concat([head, payload]);
  head[1] |= 0x80;
  return Buffer.concat([head, key, payload.map((byte, i) => byte ^ key[i % 4])]);
}

export function closeFrame(code) {
  return frame(8, Buffer.from([code >> 8, code & 255]));
}

/** Splits the frames of a server: `[opcode, payload]`, and what is incomplete. */
export function frames(bytes) {
  const list = [];
  for (;;) {
    if (bytes.length < 2) return [list, bytes];
    let [size, start] = [bytes[1] & 127, 2];
    if (size >= 126) start = size === 126 ? 4 : 10;
    if (bytes.length < start) return [list, bytes];
    if (size === 126) size = bytes.readUInt16BE(2);
    if (size === 127) size = Number(bytes.readBigUInt64BE(2));
    if (bytes.length < start + size) return [list, bytes];
    list.push([bytes[0] & 15, bytes.subarray(start, start + size)]);
    bytes = bytes.subarray(start + size);
  }
}

export class RawClient {
  static async open(port) {
    const client = await RawClient.connect(port);
    client.socket.write(HEAD);
    while (!client.received.includes("\r\n\r\n")) await client.more();
    const end = client.received.indexOf("\r\n\r\n") + 4;
    client.head = client.received.subarray(0, end).toString("latin1");
    client.received = client.received.subarray(end);
    return client;
  }

  static async connect(port) {
    const client = new RawClient();
    client.received = Buffer.alloc(0);
    client.isEnded = false;
    client.socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    client.socket.on("data", (chunk) => (client.received = Buffer.concat([client.received, chunk])));
    client.socket.on("error", () => {});
    client.socket.on("close", () => (client.isEnded = true));
    client.socket.on("end", () => (client.isEnded = true));
    await once(client.socket, "connect");
    return client;
  }

  async more() {
    if (this.isEnded) throw new Error(`the stream has ended after ${this.received.toString("latin1").slice(0, 200)}`);
    const change = new AbortController();
    await Promise.race(["data", "end", "close"].map((event) => once(this.socket, event, { signal: change.signal }).catch(() => {})));
    change.abort();
  }

  /** The next frames: waits until there are `count`. */
  async frames(count) {
    for (;;) {
      const [list, rest] = frames(this.received);
      if (list.length >= count) {
        this.received = rest;
        return list;
      }
      await this.more();
    }
  }

  /** Reads to the end of the stream, ends the other side, and returns everything. */
  async rest() {
    while (!this.isEnded) await this.more();
    this.socket.end();
    return this.received;
  }

  /** The code of the Close that ends the stream. */
  async closeCode() {
    const [list] = frames(await this.rest());
    const [opcode, payload] = list.at(-1);
    if (opcode !== 8) throw new Error(`the last frame has opcode ${opcode}`);
    return payload.length < 2 ? 1005 : payload.readUInt16BE(0);
  }
}
