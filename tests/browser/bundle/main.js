// A page that imports the package, and a model's, by their names and leaves the rest to the bundler.
import { load } from "clipglot";
import q4 from "clipglot-emoji/q4";

/** Without `model`: the emoji model in four bits. */
window.start = async ({ model = q4, ...options }) => {
  const embedder = await load({ model, ...options });
  const { vector } = await embedder.embedText("cat");
  await embedder.dispose();
  return {
    dtype: embedder.info.dtype,
    variant: embedder.info.variant,
    threads: embedder.info.threads,
    length: vector.length,
  };
};
