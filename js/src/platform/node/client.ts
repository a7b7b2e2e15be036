// The caller's side in Node.
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { EmbedError } from "../../errors.js";
import { probeSimd } from "../../shared/variants.js";
import { drop, tagOf } from "../../shared/values.js";
import type { FromWorker, SourceDescription } from "../../shared/protocol.js";
import type { PagePlatform, WorkerWay } from "../../shared/platforms.js";
import { reasonOf } from "../../shared/reason.js";
import type { CreateWorker, WorkerLike, WorkerPort } from "../../shared/worker-port.js";
import { nodeStore } from "./store.js";
import { folderAddress, withoutSecrets } from "../client/addresses.js";

export const nodePlatform: PagePlatform = {
  capabilities: () => ({
    ...probeSimd((module) => WebAssembly.validate(module)),
    noSimdBecause: "this Node has none",
    threads: true,
    noThreadsBecause: "",
    noRelaxedSimdBecause:
      "this Node has no relaxed SIMD; Node 20 has it behind --experimental-wasm-relaxed-simd",
    processors: availableParallelism(),
  }),
  workerWays,
  decodesPictures: false,
  describeFolder,
  describeFiles(files) {
    const onDisk = files.filter(([, address]) => !/^(https?|data|blob):/i.test(address));
    if (onDisk.length === 0)
      return {
        kind: "addresses",
        addresses: Object.fromEntries(
          files.map(([path, address]) => [path, withoutSecrets(urlOf(address)).href]),
        ),
      };
    if (onDisk.length < files.length)
      throw new EmbedError("invalid-argument", "model.files: some are on disk and some are not");
    return {
      kind: "paths",
      paths: Object.fromEntries(
        files.map(([path, address]) => [path, pathOf(describeFolder(address))]),
      ),
    };
  },
  describeCache(cache = false) {
    if (cache === true || cache === "")
      throw new EmbedError("invalid-argument", "cache must be a folder in Node");
    return cache && pathOf(describeFolder(cache));
  },
  openStore(readFolder) {
    const cache = readFolder();
    const folder = cache === undefined ? false : nodePlatform.describeCache(cache);
    if (typeof folder !== "string")
      throw new EmbedError("invalid-argument", "cache must be the folder that load() was given");
    return Promise.resolve(nodeStore(folder));
  },
  resolveFolder(address) {
    const folder = describeFolder(address);
    const href =
      folder.kind === "url"
        ? folder.href.replace(/\?.*$/s, "")
        : pathToFileURL((folder as { path: string }).path).href;
    return href.endsWith("/") ? href : `${href}/`;
  },
};

function describeFolder(model: string): SourceDescription {
  if (/^https?:/i.test(model)) return { kind: "url", href: folderAddress(urlOf(model)) };
  if (/^file:/i.test(model)) return { kind: "path", path: fileURLToPath(model) };
  const scheme = /^[a-z][a-z0-9+.-]+:/i.exec(model)?.[0]; // two letters or more: "C:" is a drive
  if (scheme)
    throw new EmbedError(
      "invalid-argument",
      `model: Node reads http:, https: and file: URLs and paths, not ${scheme}`,
    );
  return {
    kind: "path",
    path: resolve(model),
    ...(isHubName(model)
      ? {
          hint: `"${model}" was taken for a folder, since names of model hubs are not looked up: give a path or the URL of a folder`,
        }
      : {}),
  };
}

// "jinaai/jina-clip-v2" is how other packages name a model.
const isHubName = (model: string) => /^[\w.-]+\/[\w.-]+$/.test(model) && !model.startsWith(".");

function urlOf(address: string): URL {
  try {
    return new URL(address);
  } catch (cause) {
    throw new EmbedError("invalid-argument", "model: not a URL", { cause });
  }
}

function pathOf(folder: SourceDescription): string {
  if (folder.kind === "path") return folder.path;
  throw new EmbedError(
    "invalid-argument",
    `not a path or a file: URL: ${folder.kind === "url" ? folder.href : folder.kind}`,
  );
}

function workerWays(createWorker: CreateWorker | undefined): readonly WorkerWay[] {
  const url = new URL("../../node/worker.js", import.meta.url);
  // No flags for the thread: some that a process may have (--input-type) break a worker that is a file, and V8's hold for
  // the whole process anyway.
  const own = () =>
    new Worker(new URL("../../node/worker.js", import.meta.url), {
      name: "clipglot",
      execArgv: [],
    }); // as tracers of files see it
  const open = () =>
    portOf(
      createWorker ? checkWorker(createWorker(url.href, { name: "clipglot" }), url.href) : own(),
    );
  return [
    {
      url: url.href,
      madeByCaller: createWorker !== undefined,
      open,
      another: () => false,
      explain: async () => explainScript(url),
    },
  ];
}

function checkWorker(given: WorkerLike, url: string): Worker {
  const worker = given as Partial<Worker> | null | undefined;
  const fits =
    typeof worker === "object" &&
    worker !== null &&
    [worker.postMessage, worker.terminate, worker.on, worker.ref, worker.unref].every(
      (member) => typeof member === "function",
    );
  if (!fits) {
    drop(given); // an async function would give a promise
    throw new EmbedError(
      "invalid-argument",
      `createWorker must give a Worker of node:worker_threads with ${url}, not ${tagOf(given)}`,
    );
  }
  return worker as Worker;
}

function explainScript(url: URL) {
  const missing = url.protocol === "file:" && !existsSync(url);
  const hint =
    "a bundler that moves this package must leave it out (`external`, `serverExternalPackages`) or bring its worker: see API.md, Starting, and `createWorker`";
  return {
    none: !missing,
    headerMissing: false,
    reason: missing ? `${url.href}: there is no such file; ${hint}` : url.href,
  };
}

function portOf(worker: Worker): WorkerPort {
  worker.unref(); // an idle engine keeps no process alive
  let ended = false;
  const port: WorkerPort = {
    post: (message, transfer) => worker.postMessage(message, transfer),
    onMessage: () => {},
    onFailure: () => {},
    setBusy(busy) {
      if (!ended) busy ? worker.ref() : worker.unref();
    },
    async terminate() {
      ended = true;
      worker.ref(); // until it has ended, which is soon
      await worker.terminate();
    },
  };
  worker.on("message", (message: FromWorker) => port.onMessage(message));
  worker.on("messageerror", () => port.onFailure("a message could not be read"));
  worker.on("error", (error: unknown) => port.onFailure(reasonOf(error)));
  worker.on("exit", (code) => {
    if (!ended) port.onFailure(`the worker ended with code ${code}`);
  });
  return port;
}
