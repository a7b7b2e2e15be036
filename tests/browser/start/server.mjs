// Serves the package as hosts do that have something wrong: a header that is missing, an answer that does not come.
import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { repository } from "../package/server.mjs";

const served = /^\/(dist\/(js|wasm)|tests\/(data|browser\/start))\//;
const types = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
  ".json": "application/json",
};
export const isolation = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};
/** For files that pages of other origins take. */
export const shared = {
  "Access-Control-Allow-Origin": "*",
  "Cross-Origin-Resource-Policy": "cross-origin",
};

/**
 * `answer(path, time)`: what is wrong with the answer to a request; `time`: which request of this path it is, from 1.
 *   { headers }   sent in addition        { status }   an answer without a body
 *   { body, type }   another file         { stall: true }   no answer, ever
 *   { stop: n }   n bytes, and no more    { reset: true }   the connection is cut
 * Gives {url, requests, stalled, close}; `stalled()`: resolves when a request got no answer.
 */
export async function serveFaults(answer = () => ({})) {
  const requests = [];
  const times = new Map();
  let stalls = 0;
  const waiting = [];
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url, "http://localhost").pathname);
    requests.push(path);
    times.set(path, (times.get(path) ?? 0) + 1);
    const {
      headers = {},
      status,
      body,
      type,
      stall,
      stop,
      reset,
    } = answer(path, times.get(path)) ?? {};
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    response.setHeader("Cache-Control", "no-store");
    if (stall) {
      stalls++;
      for (const resolve of waiting.splice(0)) resolve();
      return;
    }
    if (reset) return request.socket.destroy();
    if (status) return response.writeHead(status).end();
    if (body !== undefined)
      return response.writeHead(200, { "Content-Type": type ?? "text/html" }).end(body);
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
      "Content-Type": type ?? types[extname(file)] ?? "application/octet-stream",
      "Content-Length": to - from + 1,
      ...(range ? { "Content-Range": `bytes ${from}-${to}/${info.size}` } : {}),
    });
    if (request.method === "HEAD" || info.size === 0) return response.end();
    if (stop !== undefined)
      return createReadStream(file, { start: 0, end: stop - 1 }).pipe(response, { end: false });
    createReadStream(file, { start: from, end: to }).pipe(response);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    requests,
    stalled: () => (stalls ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve))),
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
