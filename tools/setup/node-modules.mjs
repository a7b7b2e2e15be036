// npm packages of package-lock.json, for the TypeScript compiler, the page's server and the browser tests.
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { log } from "./log.mjs";
import { root } from "./paths.mjs";
import { hasStamp, run, writeStamp } from "./run.mjs";

/** `npm ci`, unless node_modules was made from the same package-lock.json. */
export async function setUpNodeModules() {
  const stamp = join(root, "node_modules/.clipglot-stamp");
  const text = createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex");
  if (existsSync(join(root, "node_modules")) && hasStamp(stamp, text)) return;
  log("installing npm packages (npm ci)");
  await run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
  });
  writeStamp(stamp, text);
}
