// What runs in the web worker. Node runs node/worker.ts.
import { browserWorkerPlatform } from "../platform/worker/browser.js";
import { serve } from "./host.js";

serve(browserWorkerPlatform);
