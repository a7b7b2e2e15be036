// The two headers that make a page cross-origin isolated, on every answer: pages, scripts of workers, and the rest.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Plugin } from "vite";

function addHeaders(_request: IncomingMessage, response: ServerResponse, next: () => void): void {
  response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
  response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
  next();
}

export function isolationHeaders(): Plugin {
  return {
    name: "clipglot-isolation-headers",
    configureServer: (server) => void server.middlewares.use(addHeaders),
    configurePreviewServer: (server) => void server.middlewares.use(addHeaders),
  };
}
