// What runs in Node's worker thread.
import { nodeWorkerPlatform } from "../platform/node-worker.js";
import { serve } from "./host.js";

serve(nodeWorkerPlatform());
