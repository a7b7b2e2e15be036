// Why a .wasm was not compiled.
import { nameOf, reasonOf } from "../../shared/reason.js";
import { StartFailure } from "../../shared/start-failure.js";

const magic = [0x00, 0x61, 0x73, 0x6d];

/** How a refusal by a Content-Security-Policy reads, in the words of the browsers. */
function isPolicyRefusal(message: string): boolean {
  return /content.security.policy|unsafe-eval|\bCSP\b|disallowed by embedder/i.test(message);
}

/** `first`: the file's first bytes. */
export function compileFailure(url: string, error: unknown, first: Uint8Array): StartFailure {
  const message = reasonOf(error);
  if (nameOf(error) === "RangeError")
    return new StartFailure("memory", `${url}: there is no memory to compile it: ${message}`, {
      cause: error,
    });
  if (isPolicyRefusal(message))
    return new StartFailure(
      "policy",
      `the page's Content-Security-Policy forbids WebAssembly; add 'wasm-unsafe-eval' to its script-src (${message})`,
      { cause: error },
    );
  if (magic.some((byte, i) => first[i] !== byte))
    return new StartFailure("files", `${url}: not a WebAssembly file: ${message}`, {
      cause: error,
    });
  return new StartFailure("compile", `${url}: cannot be compiled here, or is damaged: ${message}`, {
    cause: error,
  });
}
