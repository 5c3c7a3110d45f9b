// The settings of compression for `ws`, by their names in the matrix. All but its own compress short messages too.
"use strict";

const bits = (bits) => ({ threshold: 0, serverMaxWindowBits: bits, clientMaxWindowBits: bits });

module.exports = {
  defaults: true,
  "15-bits": { threshold: 0 },
  "no-takeover": { threshold: 0, serverNoContextTakeover: true, clientNoContextTakeover: true },
  "9-bits": bits(9),
  "10-bits": bits(10),
};
