// npm run build: the four variants and the TypeScript package, into dist/.
//   node tools/build/build.mjs [variant…]        only these variants (and the package)
import { log, runMain } from "../setup/log.mjs";
import { buildFor, variants } from "./steps.mjs";

await runMain(async () => {
  const wanted = process.argv.slice(2);
  await buildFor({ variants: wanted.length ? wanted : variants, js: true });
  log("done: dist/", "build");
});
