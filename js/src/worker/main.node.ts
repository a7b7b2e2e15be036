// What runs in Node's worker thread.
import { parentPort } from "node:worker_threads";
import { openPath } from "../loading/path-source.js";
import type { ToWorker } from "../shared/protocol.js";
import { serve } from "./host.js";

const port = parentPort;
if (!port) throw new Error("main.node.js runs in a worker thread");

serve({
  post: (message, transfer) => port.postMessage(message, transfer),
  listen: (handle) => port.on("message", (message: ToWorker) => handle(message)),
  openPath,
  namedThreadScript: false,
});
