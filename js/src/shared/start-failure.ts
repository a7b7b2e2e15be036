// Why one build of the engine did not start.
import { EmbedError, type ErrorCode } from "../errors.js";

/**
 * What failed, which says what may be tried in its place:
 * - "files": the module or the .wasm did not come
 * - "compile": this place does not know an instruction of it
 * - "threads": a worker of a thread did not start
 * - "memory": the heap was refused
 * - "policy": the page forbids it, whatever the build
 */
export type FailedStep = "files" | "compile" | "threads" | "memory" | "policy";

const codeOf = (step: FailedStep): ErrorCode =>
  step === "memory" ? "out-of-memory" : "start-failed";

export class StartFailure extends EmbedError {
  readonly step: FailedStep;

  constructor(step: FailedStep, detail: string, options?: { cause?: unknown }) {
    super(codeOf(step), detail, options);
    this.step = step;
  }
}
