// A hub as Hugging Face's is, on two origins. The first has the API, small files (307 to an address of its own, gzipped) and for
// large files 302 to an address of the second one, which is signed and expires. What a page may read of the answers is as there, too.
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { gzipSync } from "node:zlib";
import { faults, random } from "./fault-server.mjs";

const exposed =
  "X-Repo-Commit,X-Request-Id,X-Error-Code,X-Error-Message,X-Total-Count,ETag,Link,Accept-Ranges,Content-Range,X-Linked-Size,X-Linked-ETag,X-Xet-Hash";
const hash = (name, bytes) => createHash(name).update(bytes).digest("hex");
const known = new WeakMap();
/** Of a file's content only once: models are large. */
function sha(name, bytes) {
  if (typeof bytes === "string") return hash(name, bytes);
  const hashes = known.get(bytes) ?? {};
  known.set(bytes, hashes);
  hashes[name] ??= hash(name, bytes);
  return hashes[name];
}
const gitOids = new WeakMap();
function gitOid(bytes) {
  const oid =
    gitOids.get(bytes) ??
    createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
  gitOids.set(bytes, oid);
  return oid;
}
/** Files that Hugging Face would have in large-file storage. */
const isLarge = (path) => /\.(safetensors|model|bin)$|^tokenizer\.json$/.test(path);

/** What can go wrong at the second origin, beside what fault-server.mjs knows. */
const ownFaults = {
  expired: ({ response }) =>
    response.writeHead(403, { "Content-Type": "application/xml" }).end("<Error>expired</Error>"),
};
const transient = [
  "reset",
  "cut",
  "stall",
  "trickle",
  "many",
  "manyLater",
  "broken",
  "badGateway",
  "unavailable",
  "gatewayTimeout",
  "timeout",
  "noRange",
  "shortRange",
  "wrongRange",
  "emptyRange",
  "page",
  "longer",
  "noContent",
];
/** Faults after which a load has right vectors, if not too many come in a row. */
export const passingFaults = [...transient, "expired"];
/** All of point: those that a hash must find, too. */
export const hubFaults = [
  ...passingFaults,
  "silent",
  "shorter",
  "flipped",
  "gzip",
  "gzipRange",
  "missing",
  "forbidden",
];

/**
 * Gives {endpoint, repo, commit, set(change), requests, preflights, bytesAsked(path), close()}. `set` changes: files (path → bytes),
 * token (needed then), gated, lifetimeMs (of signed addresses), rate, seed, names (of faults), only (the path of one file), pageSize (of the list of files),
 * limit (requests until 429), down (refuses everything), throttle (bytes a second of large files).
 */
export async function startHubServer({ repo = "someone/golden-a", files = {} } = {}) {
  const state = {
    files,
    token: undefined,
    gated: false,
    lifetimeMs: 60_000,
    rate: 0,
    chance: random(0),
    names: passingFaults,
    pageSize: 1000,
    limit: Infinity,
    down: false,
    throttle: 0,
  };
  const requests = [];
  const preflights = [];
  const asked = new Map();
  const signatures = new Map();
  let commit = "";
  const recommit = () => {
    const all = Object.entries(state.files).map(([path, bytes]) => path + gitOid(bytes));
    commit = sha("sha1", all.join());
  };
  recommit();
  const urls = {};

  const refuse = (response, status, code) =>
    response
      .writeHead(status, { "X-Error-Code": code, "Content-Type": "application/json" })
      .end(JSON.stringify({ error: code }));
  const json = (response, value, headers = {}) =>
    response
      .writeHead(200, { "Content-Type": "application/json; charset=utf-8", ...headers })
      .end(JSON.stringify(value));

  const hub = createServer((request, response) => {
    response.on("error", () => {});
    if (state.down) return response.destroy();
    const url = new URL(request.url, urls.hub);
    const origin = request.headers.origin;
    if (origin) {
      response.setHeader("Access-Control-Allow-Origin", origin);
      response.setHeader("Vary", "Origin");
      response.setHeader("Access-Control-Expose-Headers", exposed);
    }
    if (request.method === "OPTIONS") {
      preflights.push(
        `hub ${url.pathname} ${request.headers["access-control-request-headers"] ?? ""}`,
      );
      return response
        .writeHead(204, {
          "Access-Control-Allow-Headers": "Authorization",
          "Access-Control-Allow-Methods": "GET",
        })
        .end();
    }
    requests.push({
      at: "hub",
      method: request.method,
      path: url.pathname,
      headers: request.headers,
    });
    if (requests.length > state.limit)
      return refuse(response.setHeader("RateLimit", '"api";r=0;t=200'), 429, "TooManyRequests");
    const given = /^Bearer (.*)$/.exec(request.headers.authorization ?? "")?.[1];
    const [, path, revision, rest] =
      new RegExp(
        `^/(api/models/${repo}/revision|api/models/${repo}/tree|${repo}/resolve|api/resolve-cache/${repo})/([^/]+)/?(.*)$`,
      ).exec(url.pathname) ?? [];
    if (!path) return refuse(response, 401, "RepoNotFound");
    if (state.gated && given !== state.token) return refuse(response, 401, "GatedRepo");
    if (state.token && !state.gated && given !== state.token)
      return refuse(response, 401, "RepoNotFound");
    if (!["main", "v1", commit].includes(revision))
      return refuse(response, 404, "RevisionNotFound");
    if (path.endsWith("/revision"))
      return json(response, {
        id: repo,
        sha: commit,
        gated: state.gated && "manual",
        cardData: { license: "cc-by-nc-4.0" },
        tags: ["license:cc-by-nc-4.0"],
      });
    if (path.endsWith("/tree")) {
      const all = Object.entries(state.files).map(([name, bytes]) => ({
        type: "file",
        path: name,
        size: bytes.length,
        oid: isLarge(name) ? sha("sha1", name) : gitOid(bytes),
        ...(isLarge(name)
          ? {
              lfs: { oid: sha("sha256", bytes), size: bytes.length, pointerSize: 134 },
              xetHash: sha("sha256", name),
            }
          : {}),
      }));
      const first = Number(url.searchParams.get("cursor") ?? 0);
      const next = first + state.pageSize;
      const more =
        next < all.length
          ? { Link: `<${urls.hub}${url.pathname}?cursor=${next}>; rel="next"` }
          : {};
      return json(
        response,
        [{ type: "directory", path: "onnx", oid: commit, size: 0 }, ...all.slice(first, next)],
        more,
      );
    }
    const name = decodeURIComponent(rest);
    const bytes = state.files[name];
    if (!bytes) return refuse(response, 404, "EntryNotFound");
    if (path.startsWith("api/resolve-cache")) {
      const zipped = gzipSync(bytes);
      return response
        .writeHead(200, {
          "Content-Encoding": "gzip",
          "Content-Type": "text/plain; charset=utf-8",
          ETag: `"${gitOid(bytes)}"`,
          "Transfer-Encoding": "chunked",
        })
        .end(zipped);
    }
    if (!isLarge(name))
      return response
        .writeHead(307, {
          Location: `/api/resolve-cache/${repo}/${commit}/${encodeURIComponent(name)}`,
          "X-Repo-Commit": commit,
        })
        .end();
    const signature = sha("sha1", `${Math.random()}`);
    signatures.set(signature, Date.now() + state.lifetimeMs);
    return response
      .writeHead(302, {
        Location: `${urls.cdn}/xet-bridge/${encodeURIComponent(name)}?Expires=${Date.now() + state.lifetimeMs}&Signature=${signature}`,
        "Cache-Control": "no-store",
        "X-Repo-Commit": commit,
        "X-Linked-Size": bytes.length,
        "X-Linked-ETag": `"${sha("sha256", bytes)}"`,
      })
      .end();
  });

  const cdn = createServer((request, response) => {
    response.on("error", () => {});
    if (state.down) return response.destroy();
    const url = new URL(request.url, urls.cdn);
    response.setHeader("Access-Control-Allow-Origin", "*");
    response.setHeader("Access-Control-Expose-Headers", "*");
    if (request.method === "OPTIONS") {
      preflights.push(
        `cdn ${url.pathname} ${request.headers["access-control-request-headers"] ?? ""}`,
      );
      return response
        .writeHead(204, {
          "Access-Control-Allow-Headers": "Content-Range, Content-Type, Content-Disposition, ETag",
        })
        .end();
    }
    const name = decodeURIComponent(url.pathname.split("/").at(-1));
    const whole = state.files[name];
    requests.push({ at: "cdn", method: request.method, path: name, headers: request.headers });
    const until = signatures.get(url.searchParams.get("Signature"));
    if (until === undefined || until < Date.now()) return ownFaults.expired({ response });
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
    const first = from === undefined ? undefined : Number(from);
    if (first !== undefined && first >= whole.length)
      return response.writeHead(416, { "Content-Range": `bytes */${whole.length}` }).end();
    const end = to ? Math.min(Number(to) + 1, whole.length) : whole.length;
    const bytes = whole.subarray(first ?? 0, end);
    response.setHeader("ETag", `"${sha("sha256", name)}"`); // the Xet hash, not the file's
    response.setHeader("Cache-Control", "max-age=31536000");
    const fault =
      (state.only ?? name) === name && state.chance() < state.rate
        ? state.names[Math.floor(state.chance() * state.names.length)]
        : undefined;
    if (fault) {
      requests.at(-1).fault = fault;
      const make = ownFaults[fault] ?? faults[fault];
      return make({
        request,
        response,
        bytes,
        whole,
        first,
        range: first,
        chance: state.chance,
        old: undefined,
        path: name,
      });
    }
    asked.set(name, (asked.get(name) ?? 0) + bytes.length);
    response.writeHead(first === undefined ? 200 : 206, {
      "Content-Type": "application/octet-stream",
      "Content-Length": bytes.length,
      ...(first === undefined
        ? {}
        : { "Content-Range": `bytes ${first}-${end - 1}/${whole.length}` }),
    });
    if (!state.throttle) return response.end(bytes);
    let at = 0;
    const piece = Math.max(1, Math.floor(state.throttle / 100));
    const timer = setInterval(() => {
      if (response.destroyed) return clearInterval(timer);
      response.write(bytes.subarray(at, at + piece));
      at += piece;
      if (at < bytes.length) return;
      clearInterval(timer);
      response.end();
    }, 10);
  });

  const listen = (server) =>
    new Promise((resolve) =>
      server.listen(0, "127.0.0.1", () => resolve(`http://127.0.0.1:${server.address().port}`)),
    );
  urls.hub = await listen(hub);
  urls.cdn = await listen(cdn);
  return {
    endpoint: urls.hub,
    cdn: urls.cdn,
    repo,
    get commit() {
      return commit;
    },
    requests,
    preflights,
    bytesAsked: (path) => asked.get(path) ?? 0,
    set({ seed, ...change }) {
      Object.assign(state, change);
      if (seed !== undefined) state.chance = random(seed);
      if (change.files) recommit();
      requests.length = preflights.length = 0;
      asked.clear();
    },
    /** As `set`, but what was counted stays. */
    keepCounting: (change) => Object.assign(state, change),
    async close() {
      for (const server of [hub, cdn]) {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
    },
  };
}
