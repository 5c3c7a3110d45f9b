// An instance of the WebAssembly module: its exports, as methods that take and return values of JavaScript. The documentation of the
// exports, with the rules for memory, is that of the Rust package.

const VERSION = 1;

/** What to do next for an endpoint, as of `ws_step`. */
export const Step = Object.freeze({
  REQUEST: 0,
  EVENT: 1,
  WRITE: 2,
  FLUSH: 3,
  READ: 4,
  SHUTDOWN: 5,
  DONE: 6,
  FLUSHED: 7,
  WAIT: 8,
  WAIT_READABLE: 9,
  WAIT_WRITABLE: 10,
  WAIT_BOTH: 11,
});

/** The kind of an event, as of `ws_next_event`. */
export const Kind = Object.freeze({ NONE: 0, TEXT: 1, BINARY: 2, PING: 3, PONG: 4, CLOSE: 5 });

/** Why a call is refused: the numbers of `Code` in Rust, and one more. */
export const Code = Object.freeze({
  STALE_HANDLE: 1,
  POISONED: 2,
  INVALID_ARGUMENT: 3,
  TOO_MANY_ENDPOINTS: 4,
  SIZE_TOO_LARGE: 5,
  NOT_OPEN: 6,
  FULL: 7,
  INVALID_UTF8: 8,
  CONTROL_TOO_LONG: 9,
  UNFINISHED_MESSAGE: 10,
  INVALID_CLOSE_CODE: 11,
  REASON_TOO_LONG: 12,
  REASON_WITHOUT_CODE: 13,
  NO_REQUEST: 14,
  INVALID_REQUEST: 15,
  INVALID_FIELD: 16,
  INVALID_STATUS: 17,
  NOT_DONE: 18,
  NO_DEFLATE: 19,
  NO_MEMORY: 20,
});

const MESSAGES = {
  STALE_HANDLE: "the connection has ended",
  POISONED: "an earlier call into the WebAssembly instance trapped",
  INVALID_ARGUMENT: "a number or a length is out of its range",
  TOO_MANY_ENDPOINTS: "there are too many connections",
  SIZE_TOO_LARGE: "more bytes are reported than were lent",
  NOT_OPEN: "the connection is not open",
  FULL: "the limit of waiting output is reached: wait for `drained()`",
  INVALID_UTF8: "text is not UTF-8",
  CONTROL_TOO_LONG: "the payload of a ping is over 125 bytes",
  UNFINISHED_MESSAGE: "a fragmented message is still being sent",
  INVALID_CLOSE_CODE: "the close code must not be sent",
  REASON_TOO_LONG: "the close reason is over 123 bytes",
  REASON_WITHOUT_CODE: "a close reason without a code",
  NO_REQUEST: "no request waits for an answer",
  INVALID_REQUEST: "the request is not a valid WebSocket request",
  INVALID_FIELD: "a header or a subprotocol is malformed, reserved, or was not offered",
  INVALID_STATUS: "the status cannot be that of this response",
  NOT_DONE: "the connection has not ended",
  NO_DEFLATE: "the module was built without compression",
  NO_MEMORY: "the WebAssembly memory is exhausted",
};

/** A call that was refused. `code` says why. */
export class WebSocketError extends Error {
  constructor(number) {
    const code = Object.keys(Code).find((name) => Code[name] === number) ?? `CODE_${number}`;
    super(MESSAGES[code] ?? "unknown code");
    this.name = "WebSocketError";
    this.code = code;
  }
}

export class Instance {
  /** The exports, which return negative numbers for errors. */
  #calls;
  #result;
  #bytes;
  #view;

  constructor(module) {
    this.#calls = new WebAssembly.Instance(module).exports;
    if (this.#calls.ws_version?.() !== VERSION) throw new Error("the WebAssembly module is of another version");
    this.#result = this.#calls.ws_result();
    this.#refresh();
  }

  configure(settings) {
    checked(this.#calls.ws_configure(...settings));
  }

  open(now) {
    return checked(this.#calls.ws_open(now));
  }

  free(handle) {
    checked(this.#calls.ws_free(handle));
  }

  /** The number of connections that are not freed. */
  get count() {
    return checked(this.#calls.ws_count());
  }

  /** The size of the memory, which never shrinks. */
  get memorySize() {
    return this.#calls.memory.buffer.byteLength;
  }

  step(handle, now) {
    return checked(this.#calls.ws_step(handle, now));
  }

  flushStep(handle, now) {
    return checked(this.#calls.ws_flush_step(handle, now));
  }

  deadline(handle) {
    return checked(this.#calls.ws_deadline(handle));
  }

  /** Reads from `chunk`, starting at `from`, and returns how many bytes were read: not 0 unless there are none. */
  read(handle, chunk, from) {
    checked(this.#calls.ws_read_space(handle));
    const [start, size] = this.#lent();
    const end = Math.min(chunk.length, from + size);
    this.#bytes.set(from === 0 && end === chunk.length ? chunk : chunk.subarray(from, end), start);
    checked(this.#calls.ws_received(handle, end - from));
    return end - from;
  }

  readEnd(handle) {
    checked(this.#calls.ws_read_space(handle));
    checked(this.#calls.ws_received(handle, 0));
  }

  readBlocked(handle) {
    checked(this.#calls.ws_read_blocked(handle));
  }

  readFailed(handle, message) {
    checked(this.#calls.ws_read_failed(handle, this.#put(message)));
  }

  /** Takes output, at most `most` bytes. */
  write(handle, most) {
    checked(this.#calls.ws_output(handle));
    const [start, size] = this.#lent();
    const output = this.#copy(start, Math.min(size, most));
    checked(this.#calls.ws_written(handle, output.length));
    return output;
  }

  writeBlocked(handle) {
    checked(this.#calls.ws_write_blocked(handle));
  }

  flushed(handle) {
    checked(this.#calls.ws_flushed(handle));
  }

  shutDown(handle) {
    checked(this.#calls.ws_shut_down(handle));
  }

  ready(handle) {
    checked(this.#calls.ws_ready(handle));
  }

  abort(handle) {
    checked(this.#calls.ws_abort(handle));
  }

  /** Returns the kind of the next event. Its data is that of `text` or `binary`, until the next call. */
  nextEvent(handle) {
    return checked(this.#calls.ws_next_event(handle));
  }

  text() {
    const [start, size] = this.#lent();
    return this.#bytes.toString("utf8", start, start + size);
  }

  binary() {
    return this.#copy(...this.#lent());
  }

  /** Sending returns whether the output is full now. */
  sendText(handle, text) {
    return checked(this.#calls.ws_send_text(handle, this.#put(text))) === 1;
  }

  sendBinary(handle, bytes) {
    return checked(this.#calls.ws_send_binary(handle, this.#put(bytes))) === 1;
  }

  sendFragment(handle, isText, isLast, data) {
    return checked(this.#calls.ws_send_fragment(handle, Number(isText), Number(isLast), this.#put(data))) === 1;
  }

  sendPing(handle, bytes) {
    return checked(this.#calls.ws_send_ping(handle, this.#put(bytes))) === 1;
  }

  close(handle, code, reason) {
    return checked(this.#calls.ws_close(handle, code, this.#put(reason))) === 1;
  }

  /** Throws if `close` would refuse the code or the reason on any connection. */
  checkClose(code, reason) {
    checked(this.#calls.ws_check_close(code, this.#put(reason)));
  }

  isOpen(handle) {
    return checked(this.#calls.ws_sending(handle)) === 1;
  }

  isFull(handle) {
    checked(this.#calls.ws_sending(handle));
    return this.#number(0) === 1;
  }

  buffered(handle) {
    checked(this.#calls.ws_sending(handle));
    return this.#number(3);
  }

  request(handle) {
    const count = checked(this.#calls.ws_request(handle));
    const flags = this.#number(3);
    const [method, url, ...rest] = this.#parts("latin1");
    const headers = [];
    for (let i = count; i < rest.length; i += 2) headers.push([rest[i], rest[i + 1]]);
    return {
      method,
      url,
      headers,
      subprotocols: rest.slice(0, count),
      isWebSocket: (flags & 1) !== 0,
      isSameOrigin: (flags & 2) !== 0,
    };
  }

  /** Accepts the request. Returns false if it is not a valid one. */
  accept(handle, subprotocol, headers) {
    const result = this.#calls.ws_accept(handle, this.#putParts([subprotocol, ...headers.flat()]));
    return result === -Code.INVALID_REQUEST ? false : checked(result) === 0;
  }

  respond(handle, status, headers, body) {
    checked(this.#calls.ws_respond(handle, status, this.#putParts([body, ...headers.flat()])));
  }

  /** How the endpoint ended, or null if it has not. */
  end(handle) {
    const result = this.#calls.ws_end(handle);
    if (result === -Code.NOT_DONE) return null;
    const isClean = checked(result) === 1;
    const [code, reason, codeSent, codeUnsent, codeReceived, closedBy, timeout, status, text] = this.#parts("utf8");
    const number = (decimal) => (decimal === "" ? null : Number(decimal));
    return {
      code: number(code),
      reason,
      codeSent: number(codeSent),
      codeUnsent: number(codeUnsent),
      codeReceived: number(codeReceived),
      isClean,
      closedBy: closedBy || null,
      timeout: timeout || null,
      status: number(status),
      text,
    };
  }

  /** Puts data into the argument, and returns its size. */
  #put(data) {
    if (typeof data !== "string") {
      const start = this.#space(data.length); // before `#bytes`, which it may replace
      this.#bytes.set(data, start);
      return data.length;
    }
    // A unit of UTF-16 is at most three bytes of UTF-8.
    const most = data.length < 1024 ? data.length * 3 : Buffer.byteLength(data);
    const start = this.#space(most);
    return this.#bytes.write(data, start, most);
  }

  /** Strings are ISO-8859-1, which maps each byte to one character, as headers are in node. */
  #putParts(parts) {
    const list = [];
    for (const part of parts) {
      const bytes = typeof part === "string" ? latin1(part) : part;
      const size = Buffer.alloc(4);
      size.writeUInt32LE(bytes.length);
      list.push(size, bytes);
    }
    return this.#put(Buffer.concat(list));
  }

  #parts(encoding) {
    const [start, size] = this.#lent();
    const parts = [];
    for (let at = start; at < start + size; ) {
      const end = at + 4 + this.#view.getUint32(at, true);
      parts.push(this.#bytes.toString(encoding, at + 4, end));
      at = end;
    }
    return parts;
  }

  /** The address of memory for the argument of a call. */
  #space(size) {
    const start = this.#calls.ws_argument(size);
    this.#refresh();
    if (start !== 0) return start;
    checked(this.#calls.ws_count()); // an instance that is poisoned has no memory either
    throw new WebSocketError(Code.NO_MEMORY);
  }

  #copy(start, size) {
    const copy = Buffer.allocUnsafe(size);
    this.#bytes.copy(copy, 0, start, start + size);
    return copy;
  }

  #lent() {
    return [this.#number(1), this.#number(2)];
  }

  #number(index) {
    this.#refresh();
    return this.#view.getUint32(this.#result + 4 * index, true);
  }

  /** A view is detached, and then empty, once the memory has grown. */
  #refresh() {
    if (this.#bytes?.length) return;
    const { buffer } = this.#calls.memory;
    this.#bytes = Buffer.from(buffer);
    this.#view = new DataView(buffer);
  }
}

function checked(result) {
  if (result < 0) throw new WebSocketError(-result);
  return result;
}

function latin1(text) {
  if (/[^\0-\xff]/.test(text)) throw new WebSocketError(Code.INVALID_FIELD);
  return Buffer.from(text, "latin1");
}
