// Hashes by the platform, for names and for manifests.

/** Whether the platform has WebCrypto: not on pages without https. */
export const canHash = (): boolean => typeof crypto === "object" && crypto.subtle !== undefined;

/** The SHA-256 of bytes, or of a text in UTF-8, as 64 hexadecimal digits. Needs `canHash()`. */
export async function hexSha256(data: string | Uint8Array): Promise<string> {
  const bytes =
    typeof data === "string" ? new TextEncoder().encode(data) : (data as Uint8Array<ArrayBuffer>);
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Whether a manifest's own hash matches: the file ends with 64 digits and `"␊}␊`, and the digits are
 * the hash of what is before them (docs/FORMAT.md).
 */
export async function isWhole(manifest: Uint8Array): Promise<boolean> {
  const end = new TextDecoder().decode(manifest.subarray(-68));
  if (manifest.length < 68 || !/^[0-9a-f]{64}"\n\}\n$/.test(end)) return false;
  return (await hexSha256(manifest.subarray(0, -68))) === end.slice(0, 64);
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
