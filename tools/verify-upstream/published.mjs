// What others have printed for the real weights of jina-clip-v2. Cosines of vectors of unit length, 1024 numbers.

export const QUERY = "beautiful sunset over the beach";

/** The nine sentences of the model card. */
export const SENTENCES = {
  ar: "غروب جميل على الشاطئ",
  zh: "海滩上美丽的日落",
  fr: "Un beau coucher de soleil sur la plage",
  de: "Ein wunderschöner Sonnenuntergang am Strand",
  el: "Ένα όμορφο ηλιοβασίλεμα πάνω από την παραλία",
  hi: "समुद्र तट पर एक खूबसूरत सूर्यास्त",
  it: "Un bellissimo tramonto sulla spiaggia",
  ja: "浜辺に沈む美しい夕日",
  ko: "해변 위로 아름다운 일몰",
};
const languages = Object.keys(SENTENCES);

/** The model card's two photographs: file names, sizes in pixels, and how their SHA-256 begins. */
export const IMAGES = {
  beach1: { file: "beach1.jpg", width: 612, height: 409, sha256: "b235c4ce" },
  beach2: { file: "beach2.jpg", width: 540, height: 360, sha256: "8206d460" },
};

/** Token ids of a sentence. */
export const TOKENS = { text: SENTENCES.zh, ids: [0, 6, 229845, 575, 125426, 635, 6656, 2] };

const row = (name, values) =>
  Object.fromEntries(languages.map((language, i) => [`${name} · ${language}`, values[i]]));

/** Float32 arithmetic on a processor, nothing put before the texts. */
export const PLAIN = {
  "beach1 · beach2": 0.9288048,
  "query · beach1": 0.3303666,
  "query · beach2": 0.3382796,
  ...row(
    "query",
    [
      0.8217206, 0.8121675, 0.8934908, 0.9126601, 0.8692525, 0.864749, 0.8640394, 0.707512,
      0.8935031,
    ],
  ),
  ...row(
    "beach1",
    [
      0.35173795, 0.35547468, 0.32155246, 0.31721163, 0.33752367, 0.36770427, 0.33243394,
      0.34468937, 0.35018617,
    ],
  ),
  ...row(
    "beach2",
    [
      0.3347691, 0.3601032, 0.32127985, 0.32028595, 0.34390154, 0.36575845, 0.3337223, 0.32725984,
      0.350554,
    ],
  ),
  "ar · zh": 0.8099989,
  "fr · de": 0.949354,
  "hi · ko": 0.94267756,
  "ja · ko": 0.7783976,
};

/** The model card's own numbers: another library's 4-bit weights, and the instruction before the query. A coarse check. */
export const INSTRUCTED = {
  "beach1 · beach2": 0.9344,
  "instructed query · beach1": 0.2953,
  "instructed query · beach2": 0.3184,
  ...row(
    "instructed query",
    [0.5567, 0.7028, 0.5823, 0.6648, 0.5462, 0.6792, 0.6192, 0.6259, 0.6454],
  ),
};

/** Largest difference that is accepted. Reasons: docs/NUMERICS.md. */
export const TOLERANCES = {
  f32: { text: 1e-4, image: 2e-3 },
  q8: { text: 0.01, image: 0.01 },
  q4: { text: 0.05, image: 0.05 },
  instructed: 0.05,
};
