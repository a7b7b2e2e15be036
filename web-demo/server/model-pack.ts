// The model pack lies in the repository's models/, outside this folder: served from there, and copied into a build.

import { cpSync, existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Plugin } from "vite";
import { serveFolder } from "./folder.ts";

interface Manifest {
  readonly tokenizer?: { readonly path: string } | null;
  readonly shards: readonly { readonly path: string }[];
}

/** What belongs to the pack in `folder`: its manifest and what that names, and what the page reads beside it: notices, the gallery's vectors, the report. */
function packFiles(folder: string): string[] {
  const { tokenizer, shards } = JSON.parse(
    readFileSync(join(folder, "manifest.json"), "utf8"),
  ) as Manifest;
  const beside = ["LICENSE", "NOTICE", "gallery/vectors.safetensors", "report.json"].filter(
    (name) => existsSync(join(folder, name)),
  );
  return [
    "manifest.json",
    ...(tokenizer ? [tokenizer.path] : []),
    ...shards.map(({ path }) => path),
    ...beside,
  ];
}

/** `models`: the folder that is served under /models/; the pack `name` in it goes into a build. */
export function modelPack(models: string, name: string): Plugin[] {
  const middleware = serveFolder("/models/", models);
  let outDir = "";
  return [
    {
      name: "clipglot-serve-models",
      configureServer: (server) => void server.middlewares.use(middleware),
    },
    {
      name: "clipglot-copy-model",
      apply: "build",
      configResolved(config) {
        outDir = resolve(config.root, config.build.outDir);
      },
      closeBundle() {
        const from = join(models, name);
        for (const file of packFiles(from))
          cpSync(join(from, file), join(outDir, "models", name, file), { recursive: true });
      },
    },
  ];
}
