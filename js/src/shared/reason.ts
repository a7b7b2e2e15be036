// What an error says, whatever was thrown: errors of this realm and of others, events, and things that are none of these.
// Never "[object Event]".
import { member, tagOf } from "./values.js";

/** Errors inside errors are followed so far: an event may hold itself. */
const deepest = 4;

/** A sentence for people; never empty. */
export function reasonOf(thrown: unknown, depth = 0): string {
  if (typeof thrown === "string") return thrown || "no reason was given";
  if ((typeof thrown !== "object" && typeof thrown !== "function") || thrown === null)
    return String(thrown);
  const [message, name, filename, lineno, type] = [
    "message",
    "name",
    "filename",
    "lineno",
    "type",
  ].map((key) => member(thrown, key));
  if (typeof message === "string" && message !== "") {
    return typeof filename === "string" && filename !== ""
      ? `${message} (${filename}:${String(lineno)})`
      : message;
  }
  const inner = member(thrown, "reason") ?? member(thrown, "error"); // of events
  if (inner !== undefined && inner !== null && depth < deepest) return reasonOf(inner, depth + 1);
  if (typeof name === "string" && name !== "") return `${name} without a message`;
  if (typeof type === "string" && type !== "") return `an event "${type}" without a message`;
  return `${tagOf(thrown)} without a message`;
}

/** The name of what is like an error. */
export function nameOf(thrown: unknown): string {
  const name = member(thrown, "name");
  return typeof name === "string" && name !== "" ? name : "Error";
}

/** Like an error: of another realm, it is no `instanceof Error` of this one. */
export function isErrorLike(thrown: unknown): thrown is Error {
  return (
    typeof thrown === "object" && thrown !== null && typeof member(thrown, "message") === "string"
  );
}
