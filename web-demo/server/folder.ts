// Serves one folder of the repository under an address, with single byte ranges, as a static host would.

import { createReadStream, statSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { extname, join, sep } from "node:path";

const types: Readonly<Record<string, string>> = {
  ".json": "application/json",
  ".wasm": "application/wasm",
};

type Next = () => void;

/** Middleware for paths below `prefix` ("/models/"); what is not a file there gets 404, never the page. */
export function serveFolder(prefix: string, folder: string) {
  return (request: IncomingMessage, response: ServerResponse, next: Next): void => {
    const path = decodePath(request.url ?? "/");
    if (!path?.startsWith(prefix)) return next();
    const file = join(folder, path.slice(prefix.length));
    const size = file.startsWith(folder + sep) ? fileSize(file) : undefined;
    if (size === undefined) return end(response, 404);
    response.setHeader("Content-Type", types[extname(file)] ?? "application/octet-stream");
    response.setHeader("Accept-Ranges", "bytes");
    response.setHeader("Cache-Control", "no-cache");
    const range = parseRange(request.headers.range, size);
    if (range === "unsatisfiable") {
      response.setHeader("Content-Range", `bytes */${size}`);
      return end(response, 416);
    }
    const { start, end: last } = range ?? { start: 0, end: size - 1 };
    response.statusCode = range ? 206 : 200;
    if (range) response.setHeader("Content-Range", `bytes ${start}-${last}/${size}`);
    response.setHeader("Content-Length", String(Math.max(0, last - start + 1)));
    if (request.method === "HEAD" || size === 0) return void response.end();
    createReadStream(file, { start, end: last })
      .on("error", () => response.destroy())
      .pipe(response);
  };
}

function end(response: ServerResponse, status: number): void {
  response.statusCode = status;
  response.end();
}

function decodePath(url: string): string | undefined {
  try {
    return decodeURIComponent(new URL(url, "http://localhost").pathname);
  } catch {
    return undefined;
  }
}

function fileSize(file: string): number | undefined {
  const found = statSync(file, { throwIfNoEntry: false });
  return found?.isFile() ? found.size : undefined;
}

function parseRange(
  header: string | undefined,
  size: number,
): { start: number; end: number } | "unsatisfiable" | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? "");
  if (!match || (match[1] === "" && match[2] === "")) return undefined;
  const start = match[1] === "" ? Math.max(0, size - Number(match[2])) : Number(match[1]);
  const last = match[1] === "" || match[2] === "" ? size - 1 : Math.min(Number(match[2]), size - 1);
  return start >= size || start > last ? "unsatisfiable" : { start, end: last };
}
