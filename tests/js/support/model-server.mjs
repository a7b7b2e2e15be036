// A server of a model's files with the habits of servers and networks, good and bad.
import { createServer } from "node:http";
import { gzipSync } from "node:zlib";

/**
 * Serves `files` (path → bytes) below /m/, to any origin. `habits` may be changed while it runs:
 *   ranges: false          ignores Range                 head: false    refuses HEAD
 *   gzip: true             compresses                    page: true     a start page instead of 404
 *   down: true             503                           busy: n        503 for the next n requests
 *   breakAfter: n          ends the connection after n bytes of each longer response
 *   breaks: [n, m, …]      … after n bytes of the next one, m of the one after that
 *   stall: n               sends nothing more after n bytes of the next longer response
 *   slow: n                n bytes, then a pause of 20 ms, and so on
 *   flip: { path, at, times }   changes the byte `at` in the next `times` responses that hold it
 *   etags: [a, b, …]       the ETag of each response
 *   only: /regexp/         the last six concern paths that match
 *   answer: (path, request, response) => …   true: has answered itself, or never will
 * Gives {url, requests, habits, sent(), close()}: requests are "METHOD path range", sent() counts bytes of bodies.
 */
export async function serveModel(files, habits = {}) {
  const requests = [];
  let sent = 0;
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url, "http://x").pathname).replace("/m/", "");
    requests.push(
      `${request.method} ${path}${request.headers.range ? ` ${request.headers.range}` : ""}`,
    );
    response.setHeader("Access-Control-Allow-Origin", "*");
    response.setHeader("Access-Control-Expose-Headers", "Content-Range, ETag");
    response.setHeader("Cross-Origin-Resource-Policy", "cross-origin");
    if (habits.answer?.(path, request, response)) return;
    if (habits.down || (habits.busy && habits.busy-- > 0)) return response.writeHead(503).end();
    if (request.method === "HEAD" && habits.head === false) return response.writeHead(405).end();
    let bytes = files[path];
    if (!bytes) {
      if (habits.page)
        return response.writeHead(200, { "Content-Type": "text/html" }).end("<!doctype html>");
      return response.writeHead(404).end();
    }
    const headers = { "Content-Type": "application/octet-stream" };
    const concerned = !habits.only || habits.only.test(path);
    if (habits.etags?.length && concerned) headers.ETag = habits.etags.shift();
    if (habits.gzip) {
      bytes = gzipSync(bytes);
      headers["Content-Encoding"] = "gzip";
    }
    const range =
      habits.ranges !== false && /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
    let first = 0;
    if (range) {
      first = Number(range[1]);
      const last = range[2] ? Number(range[2]) : bytes.length - 1;
      if (first >= bytes.length)
        return response.writeHead(416, { "Content-Range": `bytes */${bytes.length}` }).end();
      headers["Content-Range"] = `bytes ${first}-${last}/${bytes.length}`;
      bytes = bytes.subarray(first, last + 1);
    }
    headers["Content-Length"] = bytes.length;
    response.writeHead(range ? 206 : 200, headers);
    if (request.method === "HEAD") return response.end();
    bytes = flipped(habits, path, first, bytes);
    const end = concerned
      ? (habits.breakAfter ?? (habits.breaks?.length ? habits.breaks.shift() : undefined))
      : undefined;
    const stall = concerned ? habits.stall : undefined;
    const stop = end ?? stall;
    if (stop !== undefined && bytes.length > stop) {
      sent += stop;
      if (end === undefined) delete habits.stall;
      // The pause lets the bytes reach the other side before the end of the connection does.
      response.write(
        bytes.subarray(0, stop),
        () => end !== undefined && setTimeout(() => response.destroy(), 20),
      );
      return;
    }
    if (habits.slow && concerned)
      return slowly(response, bytes, habits.slow, (count) => (sent += count));
    sent += bytes.length;
    response.end(bytes);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  return {
    url: `http://127.0.0.1:${port}/m/`,
    requests,
    habits,
    sent: () => sent,
    async close() {
      if (!server.listening) return;
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function flipped({ flip }, path, first, bytes) {
  if (flip?.path !== path || flip.times === 0 || flip.at < first || flip.at >= first + bytes.length)
    return bytes;
  flip.times--;
  const damaged = Uint8Array.from(bytes);
  damaged[flip.at - first] ^= 16;
  return damaged;
}

async function slowly(response, bytes, piece, count) {
  for (let at = 0; at < bytes.length && !response.destroyed; at += piece) {
    count(Math.min(piece, bytes.length - at));
    response.write(bytes.subarray(at, at + piece));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  response.end();
}
