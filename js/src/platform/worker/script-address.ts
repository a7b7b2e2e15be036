// Addresses of scripts as the browser takes them for a Worker: under Trusted Types only from a policy, and from another origin
// only by a script of our own.

interface Policy {
  createScriptURL(url: string): unknown;
}
interface Factory {
  readonly defaultPolicy?: object | null;
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): Policy;
}

const known = new Set<string>();
let policy: Policy | undefined;

/**
 * `url` as `new Worker` takes it. Where the browser knows Trusted Types, by the policy "clipglot", if the page's header allows
 * that name (`trusted-types clipglot`); it passes the addresses that come here and no others.
 */
export function trustedAddress(url: string): string {
  const { trustedTypes } = globalThis as { trustedTypes?: Factory };
  if (!trustedTypes || trustedTypes.defaultPolicy) return url;
  known.add(url);
  try {
    policy ??= trustedTypes.createPolicy("clipglot", {
      createScriptURL(address) {
        if (!known.has(address)) throw new TypeError(`not an address of clipglot: ${address}`);
        return address;
      },
    });
    return policy.createScriptURL(url) as string; // for Worker it is as good as a string, and better
  } catch {
    return url; // the name is not allowed; where the page demands Trusted Types, Worker will say so
  } finally {
    known.delete(url);
  }
}

/**
 * The address of a script that runs the one at `url`. It belongs to the page's own origin and has the page's policies, so it may
 * become a worker where the other may not: `url` is on another origin, or lacks Cross-Origin-Embedder-Policy. To be given back.
 */
export function blobAddress(url: string, type: "module" | "classic"): string {
  const line =
    type === "module" ? `import ${JSON.stringify(url)};` : `importScripts(${JSON.stringify(url)});`;
  return URL.createObjectURL(new Blob([line], { type: "text/javascript" }));
}
