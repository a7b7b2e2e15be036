// The demo is a client of the package: "clipglot" resolves through the exports of the repository's package.json.

import { cpSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";
import { serveFolder } from "./server/folder.ts";

const here = dirname(fileURLToPath(import.meta.url));
const repository = resolve(here, "..");

/** Threads need a cross-origin isolated page; CLIPGLOT_ISOLATION=off shows how the page does without. */
const isolationHeaders: Record<string, string> = process.env["CLIPGLOT_ISOLATION"] === "off" ? {} : {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

/** The model pack lies in the repository's models/; it is served from there and copied into a build. */
function modelPack(): Plugin {
  const middleware = serveFolder("/models/", join(repository, "models"));
  let outDir = "";
  return {
    name: "clipglot-model-pack",
    configResolved: (config) => void (outDir = resolve(config.root, config.build.outDir)),
    configureServer: (server) => void server.middlewares.use(middleware),
    closeBundle: () => cpSync(join(repository, "models", "emoji"), join(outDir, "models", "emoji"), { recursive: true }),
  };
}

export default defineConfig({
  root: here,
  base: "./",
  cacheDir: join(repository, "build", "vite"),
  plugins: [modelPack()],
  server: { headers: isolationHeaders, fs: { allow: [repository] } },
  preview: { headers: isolationHeaders },
  worker: { format: "es" },
  build: { outDir: join(repository, "build", "web-demo"), emptyOutDir: true, target: "es2022", assetsInlineLimit: 0 },
});
