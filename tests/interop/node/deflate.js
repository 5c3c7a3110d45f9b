// The compression settings of `ws`, by their names in the matrix. All except its defaults compress short messages too.
"use strict";

const client = (bits) => [`client-${bits}`, { threshold: 0, clientMaxWindowBits: bits }];
const bits = (bits) => ({ threshold: 0, serverMaxWindowBits: bits, clientMaxWindowBits: bits });

module.exports = {
  defaults: true,
  "15-bits": { threshold: 0 },
  "no-takeover": { threshold: 0, serverNoContextTakeover: true, clientNoContextTakeover: true },
  "9-bits": bits(9),
  "10-bits": bits(10),
  ...Object.fromEntries([10, 11, 12, 13, 14, 15].map(client)),
};
