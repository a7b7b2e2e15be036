// Called in pages and in workers of all kinds.

/** Loads from the package at `at`; what is not plain in the options is named: `createWorker` "count". */
export async function tryLoad(at, options = {}) {
  const { load } = await import(`${at}dist/js/index.js`);
  const warnings = [];
  const events = { made: [] };
  const extra = {};
  if (options.createWorker === "own") {
    extra.createWorker = (url, how) => {
      events.made.push(new URL(url).pathname);
      return new Worker(url, how);
    };
  }
  if (options.createWorker === "policy") {
    const policy = trustedTypes.createPolicy("mine", { createScriptURL: (url) => url });
    extra.createWorker = (url, how) => {
      events.made.push(new URL(url).pathname);
      return new Worker(policy.createScriptURL(url), how);
    };
  }
  if (options.createWorker === "throws")
    extra.createWorker = () => {
      throw new Error("not today");
    };
  if (options.createWorker === "odd") extra.createWorker = () => ({ postMessage() {} });
  try {
    const embedder = await load({
      model: new URL("tests/data/golden-a/", at).href,
      towers: ["text"],
      cache: false,
      onWarning: ({ code, detail }) => warnings.push(`${code}: ${detail}`),
      ...options,
      ...extra,
    });
    const { vector } = await embedder.embedText("cat");
    const { variant, threads, fallbacks } = embedder.info;
    await embedder.dispose();
    return {
      variant,
      threads,
      fallbacks,
      warnings,
      made: events.made,
      works: Math.abs(Math.hypot(...vector) - 1) < 1e-4,
    };
  } catch (error) {
    return { name: error.name, code: error.code, detail: error.detail ?? String(error), warnings };
  }
}
