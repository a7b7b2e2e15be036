// npm run lint [-- file…]
//
// Runs biome's linter over every TypeScript and JavaScript file and clang-tidy over src/ and wasm/, or over the C++ files whose
// paths end with a name given. Fails with what they find.
import { configureNative } from "../build/steps.mjs";
import { runMain, SetupError } from "../setup/log.mjs";
import { setUp } from "../setup/setup.mjs";
import { runBiome } from "./format.mjs";
import { runClangTidy } from "./tidy.mjs";

await runMain(async () => {
  await setUp(["compiler", "sources", "node-modules", "lint"]);
  await configureNative("native-debug");
  const { status, output } = runBiome(["lint", "--error-on-warnings", "."]);
  console.log(output);
  const { findings } = await runClangTidy(process.argv.slice(2));
  console.log(findings.join("\n"));
  if (status !== 0 || findings.length) throw new SetupError("the linters found something");
});
