// Starts the build that was asked for, or the next one that can run here.
import type { FailedBuild, LoadWarning } from "../shared/engine-types.js";
import type { EngineFiles, ThreadWay } from "../shared/platforms.js";
import type { BuildRequest } from "../shared/protocol.js";
import { StartFailure, type FailedStep } from "../shared/start-failure.js";
import { nextBuild, variants } from "../shared/variants.js";
import { reserveSharedMemory } from "./memory.js";
import { startModule, type ModuleRequest, type StartedModule } from "./module.js";

export interface EngineStart {
  /** The first is the one to start. */
  readonly builds: readonly [BuildRequest, ...BuildRequest[]];
  readonly startTimeout: number;
  readonly files: EngineFiles;
  readonly hooks: Pick<ModuleRequest, "onLayer" | "cancelFlag">;
  readonly onLost: (reason: string) => void;
  readonly onWarning: (warning: LoadWarning) => void;
  /** For tests. */
  readonly reserveMemory?: () => WebAssembly.Memory | undefined;
}

export interface StartedEngineModule {
  readonly build: BuildRequest;
  readonly module: StartedModule;
  readonly fallbacks: readonly FailedBuild[];
}

/** Errors: the failure of the first build, with the names of the others that were tried. */
export async function startEngineModule(start: EngineStart): Promise<StartedEngineModule> {
  const failures: (FailedBuild & { readonly step: FailedStep; readonly error: StartFailure })[] =
    [];
  for (let build: BuildRequest = start.builds[0]; ; ) {
    try {
      const module = await startBuild(build, start);
      return {
        build,
        module,
        fallbacks: failures.map(({ variant, threads, reason }) => ({ variant, threads, reason })),
      };
    } catch (error) {
      if (!(error instanceof StartFailure)) throw error;
      failures.push({
        variant: build.variant,
        threads: build.threads,
        reason: error.detail,
        step: error.step,
        error,
      });
      const next = nextBuild(start.builds, failures);
      if (!next)
        throw summary(
          failures.map((failure) => failure.error),
          failures,
        );
      start.onWarning({
        code: "other-build",
        detail: `"${build.variant}" did not start, so "${next.variant}" is tried: ${error.detail}`,
      });
      build = next;
    }
  }
}

function summary(errors: readonly StartFailure[], failures: readonly FailedBuild[]): StartFailure {
  const [first] = errors as readonly [StartFailure];
  // What the page forbids is the reason of all, whichever build met it.
  const telling = errors.find(({ step }) => step === "policy") ?? first;
  const others = failures
    .slice(1)
    .map(({ variant }) => variant)
    .join(", ");
  return others
    ? new StartFailure(telling.step, `${telling.detail} (nor did others start: ${others})`, {
        cause: telling.cause ?? telling,
      })
    : telling;
}

async function startBuild(
  build: BuildRequest,
  { files, startTimeout, hooks, onLost, reserveMemory = reserveSharedMemory }: EngineStart,
): Promise<StartedModule> {
  const { moduleUrl, wasmUrl, threads, variant } = build;
  const request = { moduleUrl, wasmUrl, threads, ...hooks };
  const watched = (threadWay: ThreadWay) => ({ files, threadWay, silence: startTimeout, onLost });
  if (!variants[variant].threads) return startModule({ ...request, watched: watched("address") });
  const { ways, noneBecause } = files.threadWays(moduleUrl);
  if (ways.length === 0) throw new StartFailure("threads", `variant "${variant}": ${noneBecause}`);
  let failure: StartFailure | undefined;
  for (const way of ways) {
    const memory = reserveMemory();
    if (!memory)
      throw (
        failure ??
        new StartFailure(
          "memory",
          `variant "${variant}": this device gives no memory that threads can share`,
        )
      );
    try {
      return await startModule({ ...request, memory, watched: watched(way) });
    } catch (error) {
      if (!(error instanceof StartFailure) || error.step !== "threads") throw error;
      failure ??= error; // the first way's says more: it is the one that the page should make work
    }
  }
  throw failure;
}
