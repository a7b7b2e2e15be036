// Errors as sentences for people. The code and the detail stay beside them for whoever has to fix it.

import { EmbedError } from "clipglot";

export interface Message {
  readonly reason: string;
  readonly detail: string;
}

const reasons: Readonly<Record<string, string>> = {
  network: "The files could not be fetched. Check that the server is running and try again.",
  unreadable: "A file could not be read. Was it moved or deleted? Choose it again.",
  "start-failed": "The engine could not be started in this browser.",
  "corrupt-model": "The model's files are damaged or incomplete.",
  "unsupported-model": "This is not a model that the engine can run.",
  "unsupported-version": "The model was made for another version of the engine.",
  "out-of-memory": "There is not enough memory for this.",
  "invalid-image": "This is not a picture that can be read. Try a JPEG or PNG file.",
  "invalid-text": "This text cannot be read.",
  "invalid-argument": "The page asked the engine for something that it does not offer.",
  "too-long": "This text is too long.",
  "engine-lost": "The engine stopped unexpectedly.",
  "model-mismatch": "These vectors were made by another model.",
};

export function describe(error: unknown): Message {
  if (error instanceof EmbedError) {
    return {
      reason: reasons[error.code] ?? "Something went wrong in the engine.",
      detail: `${error.code}: ${error.detail}`,
    };
  }
  return {
    reason: "Something went wrong.",
    detail: error instanceof Error ? error.message : String(error),
  };
}

/** After these the engine is gone and has to be loaded again. */
export function isFatal(error: unknown): boolean {
  return error instanceof EmbedError && (error.code === "engine-lost" || error.code === "disposed");
}
