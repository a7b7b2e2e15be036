// What the caller's side needs from the place it runs in; see ../platform/.
import type { Capabilities } from "../shared/variants.js";
import type { SourceDescription } from "../shared/protocol.js";
import type { WorkerPort } from "./worker-port.js";

export interface PagePlatform {
  capabilities(): Capabilities;
  createWorker(): WorkerPort;
  /** A model given as text or URL. Throws "invalid-argument" for what this place cannot read. */
  describeFolder(model: string | URL): SourceDescription;
  /** An address given by the user, e.g. assetBase, against the page's own; with a "/" at its end. */
  resolveFolder(address: string | URL): string;
}
