// Addresses of models, for both platforms.
import { EmbedError } from "../../errors.js";

/** A folder's address: its path ends with "/". Its query stays; it goes with each file. */
export function folderAddress(url: URL): string {
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  url.hash = "";
  return withoutSecrets(url).href;
}

/** Refuses what no fetch takes. */
export function withoutSecrets(url: URL): URL {
  if (url.username !== "" || url.password !== "")
    throw new EmbedError(
      "invalid-argument",
      `model: an address cannot hold a name and a password (${url.host}); use the option headers`,
    );
  return url;
}
