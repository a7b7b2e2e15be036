// Loads the package from where the test says, and tells how that went.
import { tryLoad } from "./try-load.mjs";

window.tryLoad = tryLoad;
window.ready = true;
