// Makes the AVIF files of this folder from source.png, by sharp: node make-avif.mjs
import sharp from "sharp";

const folder = new URL("./", import.meta.url).pathname;
const options = { quality: 90, chromaSubsampling: "4:4:4", effort: 4 };
await sharp(`${folder}source.png`).avif(options).toFile(`${folder}plain.avif`);
await sharp(`${folder}source.png`).ensureAlpha(0.5).avif(options).toFile(`${folder}alpha.avif`);
