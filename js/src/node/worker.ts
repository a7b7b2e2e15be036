// What runs in Node's worker thread.
import { nodeWorkerPlatform } from "../platform/node/worker.js";
import { serve } from "../worker/host.js";

serve(nodeWorkerPlatform());
