// npm run demo: sets up, builds what the page can choose, serves it and prints its address.
//   node tools/build/demo.mjs [--all-variants] [flags of web-demo/serve.mjs: --port N --no-isolation --open]
import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { log, runMain } from "../setup/log.mjs";
import { root } from "../setup/paths.mjs";
import { buildFor, variants } from "./steps.mjs";

// What a page of this server can choose (js/src/shared/variants.ts): threads where it is isolated and there
// is more than one processor, relaxed SIMD where the browser has it.
function pageVariants(isolated) {
  const threads = isolated && availableParallelism() > 1;
  return variants.filter((variant) => variant.endsWith("-threads") === threads);
}

await runMain(async () => {
  const args = process.argv.slice(2);
  const wanted = args.includes("--all-variants")
    ? variants
    : pageVariants(!args.includes("--no-isolation"));
  await buildFor({ variants: wanted, js: true });
  log("starting the page", "demo");
  const flags = args.filter((arg) => arg !== "--all-variants");
  const server = spawn(process.execPath, [join(root, "web-demo/serve.mjs"), ...flags], {
    stdio: "inherit",
  });
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => server.kill(signal));
  server.on("exit", (code) => process.exit(code ?? 0));
});
