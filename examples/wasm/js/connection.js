// One connection: drives an endpoint of the WebAssembly instance over a stream of node. The order of steps is that of the Rust crate's
// `Endpoint`, whose documentation explains it.

import { Code, Kind, Step, WebSocketError } from "./instance.js";

/** The largest write. The stream gets the next one when it has written this, so that what waits, waits in the endpoint. */
const MAX_WRITE = 256 * 1024;

const ABNORMAL = {
  code: 1006, reason: "", codeSent: null, codeUnsent: null, codeReceived: null, isClean: false, closedBy: "transport",
};

export class Connection {
  /** When the next step is due, on the clock of `performance.now()`. */
  deadline = Infinity;
  /** Resolves to how the connection ended. */
  ended;
  /** The subprotocol, or an empty string. */
  subprotocol = "";
  /** What the client asked for, once it has arrived. */
  request = null;

  #server;
  #instance;
  #handle;
  #stream;
  #resolveEnd;
  #input = null;
  #inputAt = 0;
  #isInputEnded = false;
  // While either is true, events wait in the endpoint and nothing is read, so that the client has to wait; output is still written.
  #isBusy = false; // a handler has returned a promise
  #isFull = false; // so much output waits that another message would be refused
  #isClosing = false; // this side has closed, and no handler is called again, except `close`
  #isLost = false; // the stream has failed, and events wait for a handler
  #isDriving = false;
  #isScheduled = false;
  #drained = null;
  #end = null;

  /** `server` calls the handlers and knows the deadlines. `input`: what was read from the stream before. */
  constructor(server, instance, stream, input) {
    this.#server = server;
    this.#instance = instance;
    this.#stream = stream;
    this.#handle = this.#call(() => instance.open(performance.now()));
    this.ended = new Promise((resolve) => (this.#resolveEnd = resolve));
    if (input?.length) this.#input = input;
    stream.on("data", this.#onData);
    stream.on("end", this.#onEnd);
    stream.on("error", this.#onError);
    stream.on("close", this.#onClose);
    this.#schedule();
  }

  /** The stream, for what the connection does not know: the client's address, its certificate. */
  get stream() {
    return this.#stream;
  }

  get isOpen() {
    return this.#end === null && !this.#isLost && this.#call(() => this.#instance.isOpen(this.#handle));
  }

  /** How many bytes wait to be written. */
  get bufferedAmount() {
    return this.#end === null ? this.#call(() => this.#instance.buffered(this.#handle)) + this.#stream.writableLength : 0;
  }

  send(data) {
    return this.#send((instance, handle) =>
      typeof data === "string" ? instance.sendText(handle, data) : instance.sendBinary(handle, bytes(data)),
    );
  }

  sendFragment(data, isLast) {
    const isText = typeof data === "string";
    return this.#send((instance, handle) =>
      instance.sendFragment(handle, isText, Boolean(isLast), isText ? data : bytes(data)),
    );
  }

  ping(data = "") {
    return this.#send((instance, handle) => instance.sendPing(handle, typeof data === "string" ? data : bytes(data)));
  }

  close(code = 1000, reason = "") {
    if (!Number.isInteger(code)) throw new TypeError("a close code is an integer");
    this.#send((instance, handle) => instance.close(handle, code, String(reason)));
    this.#isClosing = true;
  }

  abort() {
    if (this.#end !== null) return;
    this.#call(() => this.#instance.abort(this.#handle));
    this.#schedule();
  }

  drained() {
    // Not only a send fills the output, but also the replies to what was received.
    if (this.#end === null) this.#isFull = this.#call(() => this.#instance.isFull(this.#handle));
    if (this.#end !== null || !this.#isFull) return Promise.resolve();
    if (this.#drained === null) {
      this.#drained = {};
      this.#drained.promise = new Promise((resolve) => (this.#drained.resolve = resolve));
    }
    return this.#drained.promise;
  }

  /** For the server: the deadline has passed. */
  isDue() {
    this.#wake();
  }

  /** For the server, which closes. A request that waits for its answer gets a 503 then. */
  leave(code, reason) {
    if (this.isOpen) this.close(code, reason);
    else if (this.request === null || this.#isLost) this.abort();
  }

  /** For the server: ends the connection without another call into the instance, which trapped. */
  lose(error) {
    this.#finish({ ...ABNORMAL, timeout: null, status: null, text: `lost: ${error.message}` });
  }

  #send(send) {
    if (this.#end !== null) throw new WebSocketError(Code.NOT_OPEN);
    this.#isFull = this.#call(() => send(this.#instance, this.#handle));
    this.#schedule();
    return !this.#isFull;
  }

  /** Makes calls on the instance. If it traps, all its connections are lost. */
  #call(call) {
    try {
      return call();
    } catch (error) {
      if (isTrap(error)) this.#server.trapped(this.#instance, error);
      throw error;
    }
  }

  #onData = (chunk) => {
    this.#input = this.#input === null ? chunk : Buffer.concat([this.#input.subarray(this.#inputAt), chunk]);
    this.#inputAt = 0;
    this.#wake();
  };

  #onEnd = () => {
    this.#isInputEnded = true;
    this.#wake();
  };

  #onError = (error) => {
    if (this.#end === null) this.#attempt(() => this.#failReading(String(error?.message ?? error)));
    this.#wake();
  };

  #onClose = () => {
    if (this.#end === null && !this.#stream.readableEnded) this.#onError("the stream was closed");
    else this.#onEnd();
  };

  #onWritten = () => this.#wake();

  /** The stream may be ready again. While the endpoint is driven, what arrives is read before it waits, and what is written calls back. */
  #wake() {
    if (this.#end !== null || this.#isDriving) return;
    this.#attempt(() => {
      this.#instance.ready(this.#handle);
      this.#drive();
    });
  }

  /** Continues after the present turn of the event loop's queue, so that several messages are written at once. */
  #schedule() {
    if (this.#isScheduled || this.#isDriving || this.#end !== null) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      if (this.#end === null && !this.#isDriving) this.#attempt(() => this.#drive());
    });
  }

  /** An error that is not a trap ends this connection only. */
  #attempt(work) {
    try {
      this.#call(work);
    } catch (error) {
      if (this.#end === null) this.#break(error);
    }
  }

  #break(error) {
    this.#server.report(error, this);
    try {
      this.#call(() => this.#instance.free(this.#handle));
    } catch {
      // The first error is reported.
    }
    this.lose(error);
  }

  #drive() {
    this.#isDriving = true;
    try {
      while (this.#end === null && this.#step());
    } finally {
      this.#isDriving = false;
    }
  }

  /** Does the next thing. Returns false if it is to wait. */
  #step() {
    const instance = this.#instance;
    const handle = this.#handle;
    if (this.#isFull) this.#isFull = instance.isFull(handle);
    const now = performance.now();
    const step = this.#holdsEvents ? instance.flushStep(handle, now) : instance.step(handle, now);
    switch (step) {
      case Step.REQUEST:
        this.#ask();
        return true;
      case Step.EVENT:
        this.#isFull = instance.isFull(handle); // of Pings and Pongs too
        this.#deliver();
        return true;
      case Step.WRITE:
        if (this.#stream.writableLength > 0) instance.writeBlocked(handle);
        else this.#stream.write(instance.write(handle, MAX_WRITE), this.#onWritten);
        return true;
      case Step.FLUSH:
        if (this.#stream.writableLength > 0) instance.writeBlocked(handle);
        else instance.flushed(handle);
        return true;
      case Step.READ:
        this.#read();
        return true;
      case Step.SHUTDOWN:
        this.#stream.end();
        instance.shutDown(handle);
        return true;
      case Step.DONE:
        return this.#done();
      default:
        this.#wait(step);
        return false;
    }
  }

  get #holdsEvents() {
    return this.#isFull || (this.#isBusy && !this.#isClosing);
  }

  #done() {
    const end = this.#instance.end(this.#handle);
    if (end === null) {
      // The stream has failed, but events wait: for the handler, or because the output was full before it was dropped.
      this.#isFull = false;
      this.#isLost = true;
      this.deadline = Infinity;
      this.#resolveDrained();
      return !this.#holdsEvents;
    }
    this.#instance.free(this.#handle);
    this.#finish(end);
    return false;
  }

  #read() {
    if (this.#input === null) {
      if (this.#isInputEnded) this.#instance.readEnd(this.#handle);
      else this.#instance.readBlocked(this.#handle);
      return;
    }
    this.#inputAt += this.#instance.read(this.#handle, this.#input, this.#inputAt);
    if (this.#inputAt < this.#input.length) return;
    this.#input = null;
    this.#inputAt = 0;
  }

  /** What was read before the stream failed is delivered, even if a handler waits. */
  #failReading(message) {
    while (this.#input !== null) this.#read();
    this.#instance.readFailed(this.#handle, message);
  }

  #wait(step) {
    const reads = step === Step.WAIT_READABLE || step === Step.WAIT_BOTH;
    if (reads === this.#stream.isPaused()) {
      if (reads) this.#stream.resume();
      else this.#stream.pause();
    }
    this.#resolveDrained();
    this.deadline = this.#instance.deadline(this.#handle);
    this.#server.awaits(this.deadline);
  }

  #resolveDrained() {
    if (this.#drained === null || (this.#end === null && this.#isFull)) return;
    this.#drained.resolve();
    this.#drained = null;
  }

  #ask() {
    this.request = this.#instance.request(this.#handle);
    try {
      const answer = this.#server.ask(this.request, this);
      if (isPromise(answer)) answer.then(this.#answer, this.#refuse);
      else this.#answer(answer);
    } catch (error) {
      this.#refuse(error);
    }
  }

  #answer = (answer) => {
    if (this.#end !== null) return;
    try {
      this.#respond(this.#server.isClosing ? { status: 503 } : answer);
    } catch (error) {
      this.#refuse(error);
    }
    this.#schedule();
  };

  /** Throws if the answer is a mistake, such as `false`: it must not open the connection. */
  #respond(answer = {}) {
    if (typeof answer !== "object" || answer === null) throw new TypeError("an answer is an object or undefined");
    const { status, subprotocol = "", headers = [], body = "" } = answer;
    const list = Array.isArray(headers) ? headers : Object.entries(headers);
    const bytes = typeof body === "string" ? Buffer.from(body) : body;
    this.#call(() => {
      if (status !== undefined) this.#instance.respond(this.#handle, status, list, bytes);
      else if (this.#instance.accept(this.#handle, subprotocol, list)) this.#opened(subprotocol);
    });
  }

  #opened(subprotocol) {
    this.subprotocol = subprotocol;
    this.#invoke("open");
  }

  /** The program failed to answer the request, unless it took so long that the endpoint has answered it. */
  #refuse = (error) => {
    if (this.#end !== null || error?.code === "NO_REQUEST") return;
    this.#server.report(error, this);
    try {
      this.#call(() => this.#instance.respond(this.#handle, 500, [], Buffer.alloc(0)));
    } catch (refused) {
      if (refused?.code !== "NO_REQUEST" && this.#end === null) this.#break(refused);
    }
    this.#schedule();
  };

  #deliver() {
    while (this.#end === null && !this.#holdsEvents) {
      switch (this.#instance.nextEvent(this.#handle)) {
        case Kind.NONE:
          return;
        case Kind.TEXT:
          this.#invoke("message", this.#instance.text());
          break;
        case Kind.BINARY:
          this.#invoke("message", this.#instance.binary());
          break;
        case Kind.PING:
          this.#ping(this.#instance.binary());
          break;
        case Kind.PONG:
          this.#invoke("pong", this.#instance.binary());
          break;
        default: // a Close is part of the end
      }
    }
  }

  /** The Pong is in the output now, which it may have filled. */
  #ping(data) {
    this.#isFull = this.#instance.isFull(this.#handle);
    this.#invoke("ping", data);
  }

  #invoke(name, data) {
    if (this.#isClosing) return;
    try {
      const returned = this.#server.invoke(name, this, data);
      if (!isPromise(returned)) return;
      this.#isBusy = true;
      returned.then(this.#continue, this.#failed);
    } catch (error) {
      this.#failed(error);
    }
  }

  #continue = () => {
    this.#isBusy = false;
    this.#schedule();
  };

  /** A handler failed: this connection is closed with 1011, and no handler is called for it again, except `close`. */
  #failed = (error) => {
    this.#isClosing = true;
    this.#isBusy = false;
    this.#server.report(error, this);
    if (this.#end !== null) return;
    this.#attempt(() => {
      if (this.#instance.isOpen(this.#handle)) this.#instance.close(this.#handle, 1011, "");
    });
    this.#schedule();
  };

  #finish(end) {
    if (this.#end !== null) return;
    this.#end = Object.freeze(end);
    this.#input = null;
    this.deadline = Infinity;
    this.#stream.off("data", this.#onData).off("end", this.#onEnd).off("close", this.#onClose); // errors are still ignored
    this.#stream.destroy();
    this.#resolveDrained();
    this.#resolveEnd(this.#end);
    this.#server.ended(this, this.#end);
  }
}

function isPromise(value) {
  return typeof value?.then === "function";
}

export function isTrap(error) {
  return error instanceof WebAssembly.RuntimeError || error?.code === "POISONED";
}

function bytes(data) {
  if (data instanceof Uint8Array) return data;
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (data instanceof ArrayBuffer || data instanceof SharedArrayBuffer) return new Uint8Array(data);
  throw new TypeError("a message is a string, an ArrayBuffer or a view of one");
}
