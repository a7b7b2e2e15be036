// Progress lines for people: every line says how long the script has been running.
const start = Date.now();

/** Seconds since the process started, as "12.3 s". */
export const elapsed = () => `${((Date.now() - start) / 1000).toFixed(1)} s`;

/** One progress line, e.g. "[setup   12.3 s] unpacking xnnpack". */
export function log(message, label = "setup") {
  process.stderr.write(`[${label} ${elapsed().padStart(8)}] ${message}\n`);
}

/** An error whose message is meant for the person at the keyboard: shown without a stack. */
export class SetupError extends Error {}

/** Runs `main`; a SetupError ends the process with its message, anything else with its stack. */
export async function runMain(main) {
  try {
    await main();
  } catch (error) {
    if (error instanceof SetupError) process.stderr.write(`\nerror: ${error.message}\n`);
    else process.stderr.write(`\n${error?.stack ?? error}\n`);
    process.exit(1);
  }
}
