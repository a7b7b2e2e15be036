#!/usr/bin/env node
// Builds the demo as a static site into build/web-demo, with the model pack and the engine beside it.
//
//   node web-demo/build.mjs

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";

await build({ configFile: join(dirname(fileURLToPath(import.meta.url)), "vite.config.ts") });
