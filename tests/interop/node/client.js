// client.js PEER URL GROUP_OR_CELL...: the cells of the matrix, with a version of `ws`, `undici` or a page in `chromium`.
// Prints one line per cell: the verdict, the cell and what is wrong, separated by tabs.
"use strict";
const http = require("node:http");
const { once } = require("node:events");
require("./cells.js");

const [peer, url, ...selected] = process.argv.slice(2);
const print = (line) => console.log(line);

// `ws` has the API of browsers too; this uses more than that.
function openWs(url, protocols, compression) {
  const WebSocket = require(peer);
  let body = null;
  let status;
  const open = globalThis.openWith(class extends WebSocket {
    constructor(url, protocols) {
      super(url, protocols, { maxPendingAutoPongs: 1000, perMessageDeflate: require("./deflate.js")[compression] ?? true });
      this.on("unexpected-response", (_, response) => {
        status = response.statusCode;
        body = response.toArray();
        body.then(() => this.terminate());
      });
    }
  });
  return open(url, protocols).then((opened) => ({
    ...opened,
    sendFragments: (parts, whole = true) => {
      parts.forEach((part, at) => opened.socket.send(part, { binary: false, fin: whole && at === parts.length - 1 }));
    },
    sendPlain: (message) => opened.socket.send(message, { compress: false }),
    pings: async (payloads) => {
      const pongs = [];
      const all = new Promise((resolve) => opened.socket.on("pong", (payload) => {
        if (pongs.push(payload.toString()) === payloads.length) resolve(pongs);
      }));
      for (const payload of payloads) opened.socket.ping(payload);
      return all;
    },
  }), async (error) => {
    throw Object.assign(error, { status, body: (await body)?.join("") });
  });
}

async function runInPage() {
  const site = http.createServer((_, response) => response.end("<!doctype html><title>cells</title>"));
  await once(site.listen(0, "127.0.0.1"), "listening");
  const browser = await require("../page.js").launch();
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${site.address().port}/`);
  await page.addScriptTag({ path: require.resolve("./cells.js") });
  await page.exposeFunction("print", print);
  await page.evaluate(([url, selected]) => {
    globalThis.cannotAsk = (setting) => !["defaults", "15-bits"].includes(setting);
    return runCells(openWith(WebSocket), url, selected, print);
  }, [url, selected]);
  await browser.close();
  site.close();
}

// Older versions lack APIs that undici 7 uses.
const [major, minor] = process.versions.node.split(".").map(Number);
const skipUndici = async () => print(`skip\tall cells\tneeds node 20.18, this is ${process.versions.node}`);

const run = {
  ...Object.fromEntries(["ws", "ws818", "ws821"].map((name) => [name, () => globalThis.runCells(openWs, url, selected, print)])),
  undici: () => globalThis.runCells(globalThis.openWith(require("undici").WebSocket), url, selected, print),
  chromium: runInPage,
};
if (major < 20 || (major === 20 && minor < 18)) run.undici = skipUndici;
// Otherwise, connections left open by a failed cell would keep the program running.
run[peer]().then(() => process.exit());
