// What an error says, whatever was thrown: errors of this realm and of others, events, and things that are none of these.
// Never "[object Event]".

/** A sentence for people; never empty. */
export function reasonOf(thrown: unknown): string {
  if (typeof thrown === "string") return thrown || "no reason was given";
  if ((typeof thrown !== "object" && typeof thrown !== "function") || thrown === null) return String(thrown);
  const { message, name, filename, lineno, reason, error, type } = fields(thrown);
  if (typeof message === "string" && message !== "") {
    return typeof filename === "string" && filename !== "" ? `${message} (${filename}:${String(lineno)})` : message;
  }
  const inner = reason ?? error; // of events
  if (inner !== undefined && inner !== null && inner !== thrown) return reasonOf(inner);
  if (typeof name === "string" && name !== "") return `${name} without a message`;
  if (typeof type === "string" && type !== "") return `an event "${type}" without a message`;
  return `${Object.prototype.toString.call(thrown).slice(8, -1)} without a message`;
}

/** The name of what is like an error. */
export function nameOf(thrown: unknown): string {
  const name = typeof thrown === "object" && thrown !== null ? fields(thrown).name : undefined;
  return typeof name === "string" && name !== "" ? name : "Error";
}

/** Like an error: of another realm, it is no `instanceof Error` of this one. */
export function isErrorLike(thrown: unknown): thrown is Error {
  return typeof thrown === "object" && thrown !== null && typeof fields(thrown).message === "string";
}

interface Fields {
  readonly message?: unknown;
  readonly name?: unknown;
  readonly filename?: unknown;
  readonly lineno?: unknown;
  readonly reason?: unknown;
  readonly error?: unknown;
  readonly type?: unknown;
}

// Getters of strange things may throw.
function fields(thrown: object): Fields {
  try {
    const { message, name, filename, lineno, reason, error, type } = thrown as Fields;
    return { message, name, filename, lineno, reason, error, type };
  } catch {
    return {};
  }
}
