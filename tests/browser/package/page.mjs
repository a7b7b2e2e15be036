// The page in which the shared suites run; the test outside calls what it puts on window.
import { deleteCached, listCached, load } from "../../../dist/js/index.js";
import { names, run } from "../../shared/suites.mjs";

const golden = new URL("../../data/golden-a/", import.meta.url);

async function read(path) {
  const response = await fetch(new URL(path, golden));
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

window.clipglot = {
  names,
  listCached,
  deleteCached,
  load: (options = {}) => load({ model: golden, dtype: "f32", ...options }),
  read,
  /** Runs one check of the suites; gives the error's text, or nothing. */
  run: (name, variant, threads) =>
    run(name, {
      variant,
      threads,
      read,
      load: (options) => load({ model: golden, variant, threads, ...options }),
    }).then(
      () => undefined,
      (error) => String(error.stack),
    ),
};
window.ready = true;
