#!/usr/bin/env node
// Serves the demo and prints its address.
//
//   node web-demo/serve.mjs [--port 5173] [--no-isolation] [--open] [--built]
//
//   --port N         the port to listen on; the next free one is taken if it is in use
//   --no-isolation   without the COOP and COEP headers: the page then runs on one thread
//   --open           opens the page in the default browser
//   --built          serves the site that web-demo/build.mjs made instead of the sources

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { createServer, preview } from "vite";

const { values } = parseArgs({
  options: {
    port: { type: "string", default: "5173" },
    "no-isolation": { type: "boolean", default: false },
    open: { type: "boolean", default: false },
    built: { type: "boolean", default: false },
  },
});
const port = Number(values.port);
if (!Number.isInteger(port) || port < 0 || port > 65535) {
  console.error(`--port ${values.port}: not a port number`);
  process.exit(2);
}
if (values["no-isolation"]) process.env.CLIPGLOT_ISOLATION = "off";

const configFile = join(dirname(fileURLToPath(import.meta.url)), "vite.config.ts");
const network = { port, open: values.open };
const server = values.built
  ? await preview({ configFile, logLevel: "warn", preview: network })
  : await createServer({ configFile, logLevel: "warn", server: network }).then((created) =>
      created.listen(),
    );

const address = server.resolvedUrls?.local[0];
console.log(
  `\n  clipglot demo: ${address}\n  ${values["no-isolation"] ? "without isolation, one thread" : "isolated, threads possible"}; stop it with Ctrl+C\n`,
);
