// What several tests use.

export const FILE = new URL("../js/websocket_proto.wasm", import.meta.url);

/** Returns a function that returns a random number below its argument; the same ones for the same seed. */
export function random(seed) {
  let state = BigInt(seed);
  return (below) => {
    state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
    return Number((state >> 33n) % BigInt(below));
  };
}

/** Returns a module whose memory can only grow by so many bytes, so that it is soon exhausted. */
export function withMaxMemory(module, more) {
  const bytes = Buffer.from(module);
  for (let at = 8; at < bytes.length; ) {
    const id = bytes[at];
    const [size, start] = leb(bytes, at + 1);
    if (id === 5) {
      const [initial, end] = leb(bytes, start + 2); // after the number of memories, and the flag that there is a maximum
      const [, next] = leb(bytes, end);
      writeLeb(bytes, end, next, initial + more / 65536);
      return bytes;
    }
    at = start + size;
  }
  throw new Error("the module has no memory");
}

function leb(bytes, at) {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++];
    value += (byte & 127) * 2 ** shift;
    if (byte < 128) return [value, at];
  }
}

/** In as many bytes as there are. */
function writeLeb(bytes, start, end, value) {
  for (let at = start; at < end; at++) {
    bytes[at] = (value & 127) | (at + 1 < end ? 128 : 0);
    value >>= 7;
  }
}
