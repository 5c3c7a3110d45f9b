// Reports cases of scripts in JavaScript, one line per case.
"use strict";
const { isDeepStrictEqual, inspect } = require("node:util");

// expect(got, expected): fails the case and reports both values if they differ.
exports.expect = (got, expected) => {
  if (!isDeepStrictEqual(got, expected)) throw new Error(`got ${short(got)}, expected ${short(expected)}`);
};

// check(peer, name, run): runs one case, for at most ten seconds.
exports.check = async (peer, name, run) => {
  let timer;
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error("no result within 10 s")), 10000); });
  try {
    await Promise.race([run(), late]);
    console.log(`ok   ${peer.padEnd(15)} ${name}`);
  } catch (error) {
    console.log(`FAIL ${peer.padEnd(15)} ${name}: ${String(error.message).split("\n")[0]}`);
  } finally {
    clearTimeout(timer);
  }
};

function short(value) {
  const text = inspect(value, { breakLength: Infinity, compact: true, maxArrayLength: 20 });
  return text.length > 80 ? `${text.slice(0, 80)}...` : text;
}
