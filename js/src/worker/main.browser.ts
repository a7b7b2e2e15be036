// What runs in the web worker.
import { browserWorkerPlatform } from "../platform/browser-worker.js";
import { serve } from "./host.js";

serve(browserWorkerPlatform);
