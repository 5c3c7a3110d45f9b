// Starts headless Chromium, also as root and without internet access.
"use strict";
const { chromium } = require("playwright-core");

// By default, QUIC is disabled.
exports.launch = (switches = ["--disable-quic"]) => chromium.launch({
  executablePath: process.env.CHROMIUM,
  // The sandbox is not available to root and in many containers. Only the pages of these tests are opened.
  chromiumSandbox: false,
  args: ["--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", ...switches],
});
