// A server whose answers go wrong by chance, and by the same chance for the same seed: for every request it is rolled whether
// and how. Serves files below /m/, to any origin.
import { createServer } from "node:http";
import { gzipSync } from "node:zlib";

/** Numbers from 0 to 1, the same ones for the same seed. */
export function random(seed) {
  let state = Math.imul(seed + 1, 0x9e3779b1);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const status =
  (code, headers = {}) =>
  ({ response, type }) =>
    response
      .writeHead(code, { ...headers, "Content-Type": type ?? "text/plain" })
      .end(code === 204 ? undefined : "no");
const page = "<!doctype html><title>Sign in</title>";

/**
 * What can go wrong. Each gets { request, response, bytes (of the file or range), whole (of the file), first (of the range, or
 * undefined), old (the file of an older version, or undefined), chance, path }.
 */
export const faults = {
  reset: ({ response }) => response.destroy(),
  silent: () => {},
  cut: (given) => {
    const end = Math.floor(given.chance() * given.bytes.length);
    sendHead(given, given.bytes.length);
    given.response.write(given.bytes.subarray(0, end), () =>
      setTimeout(() => given.response.destroy(), 2),
    );
  },
  stall: (given) => {
    sendHead(given, given.bytes.length);
    given.response.write(given.bytes.subarray(0, Math.floor(given.chance() * given.bytes.length)));
  },
  trickle: (given) => {
    sendHead(given, given.bytes.length);
    let at = 0;
    const timer = setInterval(() => given.response.write(given.bytes.subarray(at, ++at)), 5);
    given.response.on("close", () => clearInterval(timer));
  },
  endless: ({ response }) => {
    response.writeHead(200, { "Content-Type": "application/octet-stream" });
    const zeros = Buffer.alloc(1 << 20);
    const more = () => {
      while (!response.destroyed && response.write(zeros));
    };
    response.on("drain", more);
    more();
  },
  noContent: status(204),
  unauthorized: status(401),
  forbidden: status(403),
  missing: status(404),
  timeout: status(408),
  gone: status(410),
  early: status(425),
  many: status(429),
  manyLater: status(429, { "Retry-After": "1" }),
  manyDate: status(429, { "Retry-After": "Wed, 21 Oct 2105 07:28:00 GMT" }),
  broken: status(500),
  badGateway: status(502),
  unavailable: status(503, { "Retry-After": "100000" }),
  gatewayTimeout: status(504),
  page: ({ response }) =>
    response.writeHead(200, { "Content-Type": "text/html; charset=utf-8" }).end(page),
  noRange: (given) => send({ ...given, bytes: given.whole, first: undefined }),
  shortRange: (given) => {
    const bytes = given.bytes.subarray(0, Math.ceil(given.chance() * given.bytes.length));
    const first = given.first ?? 0;
    given.response
      .writeHead(206, {
        "Content-Length": bytes.length,
        "Content-Range": `bytes ${first}-${first + bytes.length - 1}/${given.whole.length}`,
      })
      .end(bytes);
  },
  wrongRange: (given) =>
    given.response
      .writeHead(206, {
        "Content-Length": given.bytes.length,
        "Content-Range": `bytes ${(given.first ?? 0) + 7}-${given.whole.length - 1}/${given.whole.length}`,
      })
      .end(given.bytes),
  emptyRange: (given) =>
    given.response
      .writeHead(206, {
        "Content-Length": 0,
        "Content-Range": `bytes ${given.first ?? 0}-${given.whole.length - 1}/${given.whole.length}`,
      })
      .end(),
  gzip: (given) => {
    const bytes = gzipSync(given.whole, { level: 1 });
    given.response
      .writeHead(200, { "Content-Encoding": "gzip", "Content-Length": bytes.length })
      .end(bytes);
  },
  gzipRange: (given) => {
    const bytes = gzipSync(given.whole, { level: 1 });
    given.response
      .writeHead(206, {
        "Content-Encoding": "gzip",
        "Content-Length": bytes.length,
        "Content-Range": `bytes 0-${bytes.length - 1}/${bytes.length}`,
      })
      .end(bytes);
  },
  redirect: ({ response, request }) =>
    response
      .writeHead(302, {
        Location: request.url.includes("?") ? `${request.url}&r` : `${request.url}?r`,
      })
      .end(),
  redirectLoop: ({ response, request }) => response.writeHead(302, { Location: request.url }).end(),
  longLived: (given) => send(given, { "Cache-Control": "public, max-age=31536000, immutable" }),
  stale: (given) =>
    given.old
      ? send(
          { ...given, whole: given.old, ...part(given.old, given.range) },
          { "Cache-Control": "max-age=31536000" },
        )
      : send(given),
  longer: (given) => {
    sendHead(given, given.bytes.length + 1000);
    given.response.write(given.bytes, () => setTimeout(() => given.response.destroy(), 2));
  },
  shorter: (given) =>
    send({
      ...given,
      bytes: given.bytes.subarray(0, Math.floor(given.bytes.length * given.chance())),
      first: undefined,
    }),
  flipped: (given) => {
    const bytes = Uint8Array.from(given.bytes);
    if (bytes.length > 0) bytes[Math.floor(given.chance() * bytes.length)] ^= 4;
    send({ ...given, bytes });
  },
};
/** Those that only a hash could find: not for files without one. */
export const unfindable = new Set(["endless", "stale", "shorter", "flipped"]);

function sendHead({ response, first, whole }, length) {
  const range =
    first === undefined
      ? {}
      : { "Content-Range": `bytes ${first}-${whole.length - 1}/${whole.length}` };
  response.writeHead(first === undefined ? 200 : 206, {
    "Content-Type": "application/octet-stream",
    "Content-Length": length,
    ...range,
  });
}

function send(given, headers = {}) {
  for (const [name, value] of Object.entries(headers)) given.response.setHeader(name, value);
  sendHead(given, given.bytes.length);
  given.response.end(given.request.method === "HEAD" ? undefined : given.bytes);
}

function part(whole, range) {
  const first = range === undefined ? undefined : Math.min(range, whole.length);
  return { bytes: whole.subarray(first ?? 0), first };
}

/**
 * Gives {url, set(change), requests, close()}. `set` changes: files, older (path → bytes), rate (0 … 1: of requests that go
 * wrong), seed (which begins the chances anew), names (of faults that may happen).
 */
export async function startFaultServer() {
  const state = { files: {}, older: {}, rate: 0, names: Object.keys(faults), chance: random(0) };
  const requests = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url, "http://x");
    const path = decodeURIComponent(url.pathname).replace("/m/", "");
    response.setHeader("Access-Control-Allow-Origin", "*");
    response.setHeader("Access-Control-Allow-Headers", "*");
    response.setHeader("Access-Control-Expose-Headers", "*");
    response.setHeader("Cross-Origin-Resource-Policy", "cross-origin");
    response.on("error", () => {});
    const chance = state.chance;
    const whole = state.files[path];
    const name =
      whole && !url.search && chance() < state.rate
        ? state.names[Math.floor(chance() * state.names.length)]
        : undefined;
    requests.push(`${request.method} ${path} ${name ?? ""}`.trim());
    if (!whole) return status(404)({ response });
    const match = /^bytes=(\d+)-/.exec(request.headers.range ?? "");
    const range = match ? Number(match[1]) : undefined;
    if (range !== undefined && range >= whole.length)
      return response.writeHead(416, { "Content-Range": `bytes */${whole.length}` }).end();
    const given = {
      request,
      response,
      whole,
      range,
      ...part(whole, range),
      old: state.older[path],
      chance,
      path,
    };
    name ? faults[name](given) : send(given);
  });
  server.on("clientError", (_, socket) => socket.destroy());
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}/m/`,
    requests,
    set({ seed, ...change }) {
      Object.assign(state, change, seed === undefined ? {} : { chance: random(seed) });
      requests.length = 0;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
