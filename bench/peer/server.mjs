// Serves a page and folders on this machine; isolated, so that threads run.
import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";

const types = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
  ".json": "application/json",
};

/** `folders`: from the first part of a path to the folder that answers it; `page`: the text of page.html. Gives { url, close }. */
export async function serve(folders, page) {
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, "http://localhost").pathname));
    response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
    response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
    if (path === "/page.html")
      return response.writeHead(200, { "Content-Type": "text/html" }).end(page);
    const [, first, ...rest] = path.split("/");
    const file = Object.hasOwn(folders, first) ? join(folders[first], ...rest) : undefined;
    const info = file && statSync(file, { throwIfNoEntry: false });
    if (!info?.isFile()) return response.writeHead(404).end();
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    response.writeHead(from > 0 ? 206 : 200, {
      "Content-Type": types[extname(file)] ?? "application/octet-stream",
      "Content-Length": info.size - from,
      ...(from > 0 ? { "Content-Range": `bytes ${from}-${info.size - 1}/${info.size}` } : {}),
    });
    if (request.method === "HEAD" || info.size === 0) return response.end();
    const stream = createReadStream(file, { start: from, highWaterMark: 1 << 20 });
    stream.pipe(response);
    response.on("close", () => stream.destroy());
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    close() {
      server.closeAllConnections();
      return new Promise((done) => server.close(done));
    },
  };
}
