// Random calls of the public API: any argument of any function, in any order, with aborts and disposals. Every outcome must be a
// result, an EmbedError or the signal's reason; there is no raw error, no unhandled rejection, no hang, no crash.
//   npm run fuzz -- [--steps 20000] [--seed N]
// The calls are made in a child process, so that even its crash is reported with seed and steps. Ends with 1 when something was found.
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs, inspect } from "node:util";

const { values } = parseArgs({
  options: {
    steps: { type: "string", default: "20000" },
    seed: { type: "string", default: String(Date.now() % 2 ** 31) },
    child: { type: "boolean", default: false },
  },
});
const wanted = Number(values.steps);
const seed = Number(values.seed);

if (values.child) await child();
else parent();

function parent() {
  let last;
  const started = fork(
    fileURLToPath(import.meta.url),
    ["--child", "--steps", String(wanted), "--seed", String(seed)],
    { execArgv: ["--unhandled-rejections=none", "--trace-uncaught"] },
  );
  started.on("message", (message) => (last = message));
  started.on("exit", (code, signal) => {
    if (code !== 0 && !last?.reported)
      console.log(
        `seed ${seed}: the process ended with ${signal ?? code} in the run\n${JSON.stringify(last?.run)}`,
      );
    process.exitCode = code === 0 ? 0 : 1;
  });
}

async function child() {
  const { default: fc } = await import("fast-check");
  const { carryOut, runArbitrary } = await import("./steps.mjs");
  const counts = { steps: 0, runs: 0 };
  const outcomes = {};
  let raw;
  let current;
  const heard = (kind) => (error) => {
    raw ??= `${kind} after ${JSON.stringify(current)}: ${inspect(error)}`;
  };
  process.on("unhandledRejection", heard("unhandled rejection"));
  process.on("uncaughtException", heard("uncaught exception"));
  const property = fc.asyncProperty(runArbitrary, async (run) => {
    process.send({ run });
    await carryOut(
      run,
      (step) => {
        counts.steps++;
        current = step;
      },
      outcomes,
    );
    await new Promise((resolve) => setTimeout(resolve, 0)); // what nobody handles is told now
    const problem = raw;
    raw = undefined;
    if (problem) throw new Error(problem);
    counts.runs++;
  });
  for (let batch = 0; counts.steps < wanted; batch++) {
    const result = await fc.check(property, {
      seed: seed + batch,
      numRuns: Math.max(1, Math.min(10, Math.ceil((wanted - counts.steps) / 30))),
      endOnFailure: false,
      interruptAfterTimeLimit: 60_000,
    });
    if (result.failed) {
      console.log(
        `seed ${seed} (batch ${seed + batch}, path ${result.counterexamplePath}), ${counts.steps} steps:\n${result.errorInstance?.message ?? "interrupted"}\n\nthe shortest run found (real: ${result.counterexample?.[0].real}):\n${result.counterexample?.[0].steps.map((step) => JSON.stringify(step)).join("\n")}`,
      );
      process.send({ reported: true }, () => process.exit(1));
      return;
    }
  }
  console.log(
    `seed ${seed}: ${counts.steps} steps in ${counts.runs} runs, nothing found; ${Object.entries(
      outcomes,
    )
      .sort(([, a], [, b]) => b - a)
      .map(([name, count]) => `${count} ${name}`)
      .join(", ")}`,
  );
  process.exit(0);
}
