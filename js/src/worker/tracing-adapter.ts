// The values between the steps of a call, for the tools that compare them with upstream's.
import type { Engine, EngineModule } from "./engine-module.js";
import type { ModuleCalls } from "./module-calls.js";

/** The values between two steps of a call; see src/base/trace.h for the names. */
export interface TracedStage {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export class TracingAdapter {
  readonly #calls: ModuleCalls<EngineModule>;
  readonly #engine: () => Engine;

  /** `engine`: the engine that is loaded; throws if there is none. */
  constructor(calls: ModuleCalls<EngineModule>, engine: () => Engine) {
    this.#calls = calls;
    this.#engine = engine;
  }

  /** Whether the stages of the calls from now on are kept. */
  set(on: boolean): void {
    this.#calls.enter(() => this.#engine().setTracing(on));
  }

  /** The stages of the last call, if they were kept. */
  stages(): TracedStage[] {
    return this.#calls.enter(() => {
      const engine = this.#engine();
      return Array.from({ length: engine.stageCount() }, (_, i) => {
        const { name, dtype, shape, pointer, bytes } = engine.stage(i);
        return { name, dtype, shape, bytes: this.#calls.heap.copyBytes(pointer, bytes) };
      });
    });
  }
}
