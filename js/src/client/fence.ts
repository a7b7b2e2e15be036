// The border of the package: every public function runs inside `fenced`, which is why its promise rejects with an EmbedError
// or with the signal's reason and nothing else, and why it never throws at once.
//
// Options are read once, when the call begins. The user's signal and callbacks stay at the border: inside there is a signal
// of our own, which is aborted when theirs is, and also when a callback of theirs throws.
import { EmbedError } from "../errors.js";
import { reasonOf } from "../shared/reason.js";
import { member } from "../shared/values.js";
import { invalid, shown } from "./arguments.js";
import { nearestName, type OptionKind, type OptionNames } from "./option-names.js";

/** Options as they were at the beginning of the call; null became "not given". */
export type Given<T> = { readonly [K in keyof T]?: T[K] };

/** Runs a public function that has options. */
export async function fenced<T extends object, R>(
  names: OptionNames<NoInfer<T>>,
  options: T | undefined | null,
  act: (options: Given<T>) => R | PromiseLike<R>,
): Promise<R> {
  return fencedMethod(
    () => undefined,
    names,
    options,
    (_, given) => act(given),
  );
}

/** The same for a method; `find` gives its object, or throws when the method was called without. */
export async function fencedMethod<S, T extends object, R>(
  find: () => S,
  names: OptionNames<NoInfer<T>>,
  options: T | undefined | null,
  act: (self: S, options: Given<T>) => R | PromiseLike<R>,
): Promise<R> {
  const border = new Border();
  try {
    return await act(find(), border.take(readOptions("options", options, names), names, options));
  } catch (error) {
    throw border.outward(error);
  } finally {
    border.leave();
  }
}

/** Runs a public function that has none. */
export async function fencedPlain<R>(act: () => R | PromiseLike<R>): Promise<R> {
  try {
    return await act();
  } catch (error) {
    throw typed(error);
  }
}

/** The same for what answers at once. */
export function fencedNow<R>(act: () => R): R {
  try {
    return act();
  } catch (error) {
    throw typed(error);
  }
}

/** Reads something of the caller's; what that throws (a getter, a revoked Proxy, an address that is none) is his fault. */
export function reading<R>(name: string, read: () => R): R {
  try {
    return read();
  } catch (error) {
    if (error instanceof EmbedError) throw error;
    throw new EmbedError("invalid-argument", `${name} cannot be read: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

/** The options that `given` has. A name that is not in `names` is refused, with the one that was probably meant. */
export function readOptions<T extends object>(
  name: string,
  given: T | undefined | null,
  names: OptionNames<NoInfer<T>>,
): Given<T> {
  return reading(name, () => {
    if (given === undefined || given === null) return {} as Given<T>;
    if (typeof given !== "object" || Array.isArray(given))
      throw invalid(`${name} must be an object, not ${shown(given)}`);
    const known = Object.keys(names);
    for (const key of Object.keys(given)) {
      if (known.includes(key)) continue;
      const near = nearestName(key, known);
      throw invalid(
        `${name}.${key.slice(0, 40)} is unknown; ${near ? `did you mean "${near}"?` : `there are: ${known.join(", ")}`}`,
      );
    }
    const taken: { [name: string]: unknown } = {};
    for (const key of known) {
      const value = (given as { readonly [name: string]: unknown })[key];
      if (value !== undefined && value !== null) taken[key] = value;
    }
    return taken as Given<T>;
  });
}

function typed(error: unknown): EmbedError {
  return error instanceof EmbedError
    ? error
    : new EmbedError("internal", reasonOf(error), { cause: error });
}

// What a call has on the other side: a signal to listen to, callbacks to call.
class Border {
  /** Aborted by the user's signal, or by a callback that failed. */
  readonly #control = new AbortController();
  #release: (() => void) | undefined;

  /** `self` is the object whose methods the callbacks may be. */
  take<T>(
    options: Given<T>,
    names: { readonly [name: string]: OptionKind },
    self: unknown,
  ): Given<T> {
    const inside: { [name: string]: unknown } = { ...options };
    for (const [name, kind] of Object.entries(names)) {
      const value = inside[name];
      if (value === undefined) continue;
      if (kind === "signal") this.#adopt(name, value);
      if (kind === "callback") inside[name] = this.#wrap(name, value, self);
      if (kind !== "value") inside["signal"] = this.#control.signal;
    }
    return inside as Given<T>;
  }

  #adopt(name: string, value: unknown): void {
    reading(name, () => {
      const given = value as AbortSignal;
      const fits = typeof given === "object" && typeof given.aborted === "boolean";
      if (
        !fits ||
        typeof given.addEventListener !== "function" ||
        typeof given.removeEventListener !== "function"
      )
        throw invalid(`${name} must be an AbortSignal, not ${shown(value)}`);
      // A reason of undefined becomes the platform's AbortError.
      const onAbort = () => this.#control.abort(member(given, "reason"));
      if (given.aborted) return onAbort();
      given.addEventListener("abort", onAbort, { once: true });
      this.#release = () => given.removeEventListener("abort", onAbort);
    });
  }

  #wrap(name: string, value: unknown, self: unknown): (...args: unknown[]) => void {
    if (typeof value !== "function")
      throw invalid(`${name} must be a function, not ${shown(value)}`);
    const failed = (cause: unknown) =>
      this.#control.abort(
        new EmbedError("invalid-argument", `${name} threw: ${reasonOf(cause)}`, { cause }),
      );
    return (...args) => {
      try {
        const given: unknown = Reflect.apply(value, self, args);
        // Of an async function the error comes later.
        if (typeof given === "object" && given !== null)
          new Promise((resolve) => resolve(given)).catch(failed);
      } catch (error) {
        failed(error);
      }
    };
  }

  /** The error that leaves for `error`. */
  outward(error: unknown): unknown {
    const { aborted, reason } = this.#control.signal;
    return aborted && Object.is(error, reason) ? error : typed(error);
  }

  leave(): void {
    try {
      this.#release?.();
    } catch {
      // a signal that is none of the platform's; nothing is owed to it
    }
  }
}
