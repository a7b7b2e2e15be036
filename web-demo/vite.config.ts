// The demo is a client of the package: "clipglot" resolves through the exports of the repository's package.json.

import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { isolationHeaders } from "./server/isolation-headers.ts";
import { modelPack } from "./server/model-pack.ts";

const here = dirname(fileURLToPath(import.meta.url));
const repository = resolve(here, "..");
// CLIPGLOT_MODELS=FOLDER serves FOLDER/emoji in the place of models/emoji, to try another checkpoint.
const models = resolve(repository, process.env["CLIPGLOT_MODELS"] ?? "models");

// Threads need a cross-origin isolated page; CLIPGLOT_ISOLATION=off shows how the page does without.
const isolated = process.env["CLIPGLOT_ISOLATION"] !== "off";

export default defineConfig({
  root: here,
  base: "./",
  cacheDir: join(repository, "build", "vite"),
  plugins: [isolated && isolationHeaders(), modelPack(models, "emoji")],
  server: { fs: { allow: [repository] } },
  worker: { format: "es" },
  // Engine and pictures stay files of their own: each is fetched once, and only the engine build that runs.
  build: {
    outDir: join(repository, "build", "web-demo"),
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    rollupOptions: { input: { index: join(here, "index.html"), curve: join(here, "curve.html") } },
  },
});
