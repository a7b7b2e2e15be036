// Retrying with servers and networks, the same for every file of a model, and none of it where a kept copy is complete:
// js/src/loading/{http-reader,answers,retry,url-source}.ts with a real local server.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { EmbedError, load } from "clipglot";
import { judge, shownAddress } from "../../dist/js/loading/answers.js";
import { defaultRetryPolicy } from "../../dist/js/loading/retry.js";
import { openUrlSource } from "../../dist/js/loading/url-source.js";
import { nodeStore } from "../../dist/js/platform/node/store.js";
import { fails } from "../shared/check.mjs";
import { plainPack } from "./support/model-pack.mjs";
import { serveModel } from "./support/model-server.mjs";

const scratch = mkdtempSync(join(tmpdir(), "clipglot-network-"));
after(() => rmSync(scratch, { recursive: true }));
let folders = 0;

const noise = (length, seed) =>
  Uint8Array.from({ length }, (_, i) => (Math.imul(i + seed, 2654435761) >>> 13) & 255);
const pack = plainPack({ "a.safetensors": noise(300_000, 1), "b/c.safetensors": noise(100, 2) });
const checkpoint = {
  "config.json": Buffer.from('{"a":1}'),
  "preprocessor_config.json": Buffer.from("{}"),
  "tokenizer.json": Buffer.from('{"b":2}'),
  "model.safetensors": noise(200_000, 3),
  "sentencepiece.bpe.model": noise(50, 4),
};
const retry = { backoffMs: [2, 2, 2], idleTimeoutMs: 150, maxBackoffMs: 5, fallbackTimeoutMs: 150 };
/** Only silence has to be waited for; a machine that is busy is not silent. */
const retryFor = (what) =>
  /silence|stall|trickle/.test(what)
    ? { ...retry, backoffMs: [2, 2, 2, 2, 2, 2], idleTimeoutMs: 250 }
    : { ...retry, idleTimeoutMs: 20_000, fallbackTimeoutMs: 20_000 };

async function serve(files, habits, use) {
  const server = await serveModel(files, habits);
  try {
    return await use(server);
  } finally {
    await server.close();
  }
}

async function readAll(url, options = {}) {
  const source = await openUrlSource(url, { retry, ...options });
  const read = {};
  try {
    for (const file of source.files) {
      const pieces = [];
      await source.read(file, 0, file.byteLength, (piece) => pieces.push(Buffer.from(piece)));
      read[file.path] = Buffer.concat(pieces);
    }
    await source.finished();
  } finally {
    await source.close();
  }
  return read;
}
const complete = (read, files) => {
  assert.deepEqual(Object.keys(read).sort(), Object.keys(files).sort());
  for (const [path, bytes] of Object.entries(files))
    assert.ok(Buffer.from(bytes).equals(read[path]), path);
};

const status =
  (code, headers = {}) =>
  (response) =>
    response.writeHead(code, headers).end();
const begun = (response, { length }) => response.writeHead(200, { "Content-Length": length });
/** What a server or a network does for the moment. */
const passing = {
  408: status(408),
  425: status(425),
  429: status(429, { "Retry-After": "3600" }),
  500: status(500),
  502: status(502),
  503: status(503),
  504: status(504),
  507: status(507),
  204: status(204),
  "a reset": (response) => response.destroy(),
  silence: () => {},
  "a cut": (response, bytes) =>
    begun(response, bytes).write(bytes.subarray(0, -1), () =>
      setTimeout(() => response.destroy(), 5),
    ),
  "a stall": (response, bytes) => begun(response, bytes).write(bytes.subarray(0, 1)),
  "a trickle": (response, bytes) => {
    begun(response, bytes);
    let at = 0;
    const timer = setInterval(() => response.write(bytes.subarray(at, ++at)), 40);
    response.on("close", () => clearInterval(timer));
  },
  "bytes from another place": (response) =>
    response.writeHead(206, { "Content-Range": "bytes 7-9/10", "Content-Length": 3 }).end("abc"),
  "a range without bytes": (response) =>
    response.writeHead(206, { "Content-Range": "bytes 0-9/10", "Content-Length": 0 }).end(),
};
/** What it says for good, and what comes instead of a file. */
const final = {
  401: status(401),
  403: status(403),
  404: status(404),
  407: status(407),
  410: status(410),
  451: status(451),
  400: status(400),
  "a page": (response) =>
    response.writeHead(200, { "Content-Type": "text/html" }).end("<!doctype html>"),
  "no manifest": (response) => response.writeHead(200).end("{}"),
  "an endless answer": (response) => {
    const more = () => {
      while (!response.destroyed && response.write(Buffer.alloc(1 << 20)));
    };
    response.writeHead(200).on("drain", more);
    more();
  },
};

/** The first `times` requests for the path get that answer. */
const firstly = (wanted, how, times = 1, method = undefined) => {
  let left = times;
  return (path, request, response) => {
    if (path !== wanted || left <= 0 || (method && request.method !== method)) return false;
    left--;
    how(response, Buffer.from(pack[path] ?? checkpoint[path]));
    return true;
  };
};

describe("what passes is waited for, whichever file it is", () => {
  for (const [what, how] of Object.entries(passing)) {
    test(what, async () => {
      const all = (files, path, method) =>
        serve(files, { answer: firstly(path, how, 1, method) }, async ({ url }) =>
          complete(await readAll(url, { retry: retryFor(what) }), files),
        );
      const requests = [
        ...Object.keys(pack).map((path) => [pack, path, "GET"]),
        ...Object.keys(checkpoint).flatMap((path) =>
          (/json$/.test(path) ? ["GET"] : ["HEAD", "GET"]).map((method) => [
            checkpoint,
            path,
            method,
          ]),
        ),
      ];
      await Promise.all(requests.map((request) => all(...request)));
    });
  }

  test("the page of a network that wants a sign-in, instead of a shard", () =>
    serve(pack, { answer: firstly("a.safetensors", final["a page"], 2) }, async ({ url }) =>
      complete(await readAll(url, { retry: retryFor("") }), pack),
    ));

  test("a server that calls every file a page", () =>
    serve(
      pack,
      {
        answer: (path, _, response) =>
          path === "a.safetensors" &&
          response
            .writeHead(200, { "Content-Type": "text/html", "Content-Length": 300_000 })
            .end(pack[path]),
      },
      async ({ url }) => complete(await readAll(url, { retry: retryFor("") }), pack),
    ));
});

describe("what does not pass is a typed error, after as many attempts as are stated", () => {
  for (const [what, how] of Object.entries(passing)) {
    test(what, () =>
      serve(
        pack,
        { answer: firstly("manifest.json", how, Infinity) },
        async ({ url, requests }) => {
          const given = { ...retryFor(what), backoffMs: retry.backoffMs };
          await fails(openUrlSource(url, { retry: given }), "network", /manifest\.json: /);
          assert.equal(requests.length, 1 + given.backoffMs.length);
        },
      ),
    );
  }

  test("the attempts are those of the whole load: each file's silence does not add to that of the others", () => {
    let asked = 0;
    const answer = (path, _, response) =>
      (path === "manifest.json" ? ++asked < 3 && status(503)(response) : status(503)(response)) ??
      true;
    return serve(checkpoint, { answer }, async ({ url, requests }) => {
      await fails(openUrlSource(url, { retry }), "network");
      assert.ok(requests.length <= 2 + retry.backoffMs.length, requests.join());
    });
  });

  test("the time that docs/API.md states", () => {
    const { backoffMs, idleTimeoutMs } = defaultRetryPolicy;
    const longest = (backoffMs.length + 1) * idleTimeoutMs + backoffMs.length * 10_000;
    assert.equal(longest, 190_000);
  });

  for (const code of [401, 403]) {
    test(`${code} says what to do, and shows no query`, () =>
      serve(
        pack,
        { answer: (_, __, response) => status(code)(response) ?? true },
        async ({ url }) => {
          const error = await fails(
            openUrlSource(`${url}?token=secret`, { retry }),
            "network",
            /signature|headers/,
          );
          assert.doesNotMatch(
            JSON.stringify([error.message, error.detail, String(error.cause)]),
            /secret/,
          );
        },
      ));
  }

  test("an endless manifest or configuration ends at the limit", async () => {
    for (const [files, path] of [
      [pack, "manifest.json"],
      [checkpoint, "config.json"],
    ]) {
      await serve(
        files,
        { answer: firstly(path, final["an endless answer"], Infinity) },
        async ({ url }) => {
          await fails(
            openUrlSource(url, { retry: { ...retry, idleTimeoutMs: 10_000 } }),
            "corrupt-model",
            /more than \d+ bytes/,
          );
        },
      );
    }
  });

  test("a checkpoint whose configuration changed while the rest came", () => {
    let version = 0;
    const answer = (path, request, response) => {
      if (path === "config.json")
        response.setHeader("ETag", `"${request.method === "HEAD" ? 2 : 1}"`);
      return version++ < 0;
    };
    return serve(checkpoint, { answer }, async ({ url }) => {
      await fails(
        readAll(url, { retry: retryFor("") }),
        "network",
        /config\.json: changed during the download/,
      );
    });
  });

  test("a file without hashes that goes on past its end", () =>
    serve(
      checkpoint,
      {
        answer(path, request, response) {
          if (path !== "model.safetensors" || request.method !== "GET") return false;
          response.writeHead(200).end(Buffer.alloc(300_000));
          return true;
        },
      },
      async ({ url }) => {
        await fails(
          readAll(url, { retry: retryFor("") }),
          "network",
          /is longer than 200000 bytes/,
        );
      },
    ));
});

describe("with a complete kept copy the network has a moment", () => {
  for (const [what, how] of Object.entries({ ...passing, ...final })) {
    test(what, () =>
      serve(pack, {}, async (server) => {
        const store = nodeStore(join(scratch, `${folders++}`));
        await readAll(server.url, { store, retry: retryFor("") });
        server.habits.answer = firstly("manifest.json", how, Infinity);
        server.requests.length = 0;
        complete(await readAll(server.url, { store }), pack);
        assert.ok(
          server.requests.length <= 2 &&
            server.requests.every((request) => request === "GET manifest.json"),
          server.requests.join(),
        );
      }),
    );
  }

  test("only the towers that are loaded have to be there", () => {
    const manifest = JSON.parse(pack["manifest.json"]);
    manifest.shards[0].tower = "vision";
    return serve(pack, {}, async (server) => {
      const store = nodeStore(join(scratch, `${folders++}`));
      const source = await openUrlSource(server.url, { store, retry });
      const text = source.files.find(({ path }) => path === "b/c.safetensors");
      await source.read(text, 0, text.byteLength, () => {});
      await source.close();
      server.habits.answer = () => true;
      await fails(
        openUrlSource(server.url, { store, retry }).then((opened) =>
          opened.read(opened.files[0], 0, 1, () => {}),
        ),
        "network",
      );
    });
  });
});

test("answers are told apart", () => {
  const of = (code, headers = {}, body = "x") =>
    judge(new Response([204, 205, 304].includes(code) ? null : body, { status: code, headers }), {
      offset: 0,
    }).kind;
  for (const code of [200, 203]) assert.equal(of(code), "ok");
  for (const code of [202, 204, 205]) assert.equal(of(code), "transient", String(code));
  for (const code of [304, 408, 425, 429, 500, 501, 502, 503, 504, 520, 599])
    assert.equal(of(code), "transient", String(code));
  for (const code of [404, 410]) assert.equal(of(code), "absent");
  for (const code of [400, 401, 402, 403, 405, 406, 407, 411, 416, 418, 451])
    assert.equal(of(code), "refused", String(code));
  assert.equal(
    shownAddress("https://user:word@example.org/m/a?sig=1#x"),
    "https://example.org/m/a",
  );
  assert.ok(new EmbedError("network", "x") instanceof Error);
});

test("a file of a checkpoint that is refused is named with the reason, not called missing", () => {
  const answer = (path, _, response) => {
    if (!/^tokenizer|^sentence/.test(path)) return false;
    response.writeHead(403).end();
    return true;
  };
  const golden = Object.fromEntries(
    ["config.json", "preprocessor_config.json", "tokenizer.json", "model.safetensors"].map(
      (name) => [name, readFileSync(new URL(`../data/golden-a/${name}`, import.meta.url))],
    ),
  );
  return serve(golden, { answer }, async ({ url }) => {
    await fails(load({ model: url, variant: "simd" }), "network", /tokenizer\.json: 403/);
  });
});
