// A page that imports the package by its name and leaves the rest to the bundler.
import { load } from "clipglot";

window.start = async (options) => {
  const embedder = await load(options);
  const { vector } = await embedder.embedText("cat");
  await embedder.dispose();
  return { variant: embedder.info.variant, threads: embedder.info.threads, length: vector.length };
};
