// The loader in a browser: one request at a time, {id, do: "load" | "clear", …} → {id, result}.
import { browserStore } from "../../dist/js/platform/worker/store.js";
import { browserEngineFiles } from "../../dist/js/platform/worker/engine-files.js";
import { startLoader } from "./loader.mjs";

const load = startLoader(browserEngineFiles(10_000));
addEventListener("message", async ({ data: { id, what, keep, ...options } }) => {
  const store = await browserStore();
  if (what === "clear") for (const folder of await store.folders()) await store.remove(folder);
  postMessage({
    id,
    result:
      what === "clear" ? {} : await (await load)({ ...options, store: keep ? store : undefined }),
  });
});
