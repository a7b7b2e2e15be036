// What the licences of models mean for whoever loads one, in a line. Others are shown by their name alone.

export interface License {
  readonly name: string;
  readonly url: string | undefined;
  readonly meaning: string;
}

const known: Readonly<Record<string, readonly [url: string, meaning: string]>> = {
  "Apache-2.0": [
    "https://www.apache.org/licenses/LICENSE-2.0",
    "Free to use, also commercially, with the notice.",
  ],
  MIT: ["https://opensource.org/license/mit", "Free to use, also commercially, with the notice."],
  "CC-BY-4.0": [
    "https://creativecommons.org/licenses/by/4.0/",
    "Free to use, also commercially, with attribution.",
  ],
  "CC-BY-SA-4.0": [
    "https://creativecommons.org/licenses/by-sa/4.0/",
    "Free to use with attribution; what is made from it is shared alike.",
  ],
  "CC-BY-NC-4.0": [
    "https://creativecommons.org/licenses/by-nc/4.0/",
    "Not for commercial use, and with attribution. For commercial use ask its makers.",
  ],
};

export function describeLicense(name: string): License {
  const match = Object.entries(known).find(
    ([key]) => key.toLowerCase() === name.trim().toLowerCase(),
  );
  if (match) return { name: match[0], url: match[1][0], meaning: match[1][1] };
  return {
    name,
    url: undefined,
    meaning: "The page does not know this licence. Read it where the pack comes from.",
  };
}

/** Where a well-known model comes from, to be linked beside its licence. */
export function modelHome(modelId: string): string | undefined {
  return /jina-clip-v2/i.test(modelId) ? "https://huggingface.co/jinaai/jina-clip-v2" : undefined;
}
