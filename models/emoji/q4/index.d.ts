export { default, load, model } from "../index.js";
