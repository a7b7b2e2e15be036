// Serves the repository's folders that a page of the tests needs, with or without the headers of isolation.
import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

export const repository = fileURLToPath(new URL("../../../", import.meta.url));
const served =
  /^\/(dist\/(js|wasm)|tests\/(shared|data|faults|browser\/package)|build\/bundle-test)\//;
const types = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
  ".json": "application/json",
};

/** `contentSecurityPolicy`: sent with every answer. Gives {url, requests, close}; requests: "METHOD path" in their order. */
export async function serveRepository({ isolated, contentSecurityPolicy }) {
  const requests = [];
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url, "http://localhost").pathname);
    requests.push(`${request.method} ${path}`);
    if (isolated) {
      response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
      response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
    }
    if (contentSecurityPolicy) response.setHeader("Content-Security-Policy", contentSecurityPolicy);
    const file = join(repository, normalize(path));
    const info = served.test(normalize(path))
      ? statSync(file, { throwIfNoEntry: false })
      : undefined;
    if (!info?.isFile()) return response.writeHead(404).end();
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
    const [from, to] = range
      ? [Number(range[1]), range[2] ? Number(range[2]) : info.size - 1]
      : [0, info.size - 1];
    response.writeHead(range ? 206 : 200, {
      "Content-Type": types[extname(file)] ?? "application/octet-stream",
      "Content-Length": to - from + 1,
      ...(range ? { "Content-Range": `bytes ${from}-${to}/${info.size}` } : {}),
    });
    if (request.method === "HEAD" || info.size === 0) return response.end();
    createReadStream(file, { start: from, end: to }).pipe(response);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    requests,
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
