// What the peers written in JavaScript share: the payloads, and one line per case.
"use strict";
const { isDeepStrictEqual, inspect } = require("node:util");

// 70,000 bytes, so that the length takes the 64-bit form; in text, characters of one to four bytes.
exports.longText = "aé日🦀".repeat(7000);
exports.longBinary = Uint8Array.from({ length: 70000 }, (_, i) => (i * 31) % 251);
exports.texts = {
  "text": "hello",
  "non-ASCII text": "Zażółć gęślą jaźń, 日本語, 🦀",
  "empty text": "",
  "70,000 bytes of text": exports.longText,
};
exports.binaries = {
  "binary": Uint8Array.from({ length: 256 }, (_, i) => i),
  "empty binary": new Uint8Array(),
  "70,000 bytes of binary": exports.longBinary,
};

// expect(got, expected): fails the case with both in its line.
exports.expect = (got, expected) => {
  if (!isDeepStrictEqual(got, expected)) throw new Error(`got ${short(got)}, expected ${short(expected)}`);
};

// check(peer, name, run): runs one case, ten seconds at most.
exports.check = async (peer, name, run) => {
  let timer;
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error("no answer within 10 s")), 10000); });
  try {
    await Promise.race([run(), late]);
    console.log(`ok   ${peer.padEnd(12)} ${name}`);
  } catch (error) {
    console.log(`FAIL ${peer.padEnd(12)} ${name}: ${String(error.message).split("\n")[0]}`);
  } finally {
    clearTimeout(timer);
  }
};

function short(value) {
  const text = inspect(value, { breakLength: Infinity, compact: true, maxArrayLength: 20 });
  return text.length > 80 ? `${text.slice(0, 80)}...` : text;
}
