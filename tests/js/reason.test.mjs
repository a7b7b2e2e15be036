// What errors say, whatever was thrown: js/src/shared/reason.ts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { runInNewContext } from "node:vm";
import { isErrorLike, nameOf, reasonOf } from "../../dist/js/shared/reason.js";

test("errors, of this realm and others, events, and what is neither", () => {
  const cases = [
    [new Error("plain"), "plain"],
    [runInNewContext('new RangeError("foreign")'), "foreign"],
    [new DOMException("gone", "NotFoundError"), "gone"],
    [Object.assign(new Error(""), { name: "AbortError" }), "AbortError without a message"],
    ["words", "words"],
    ["", "no reason was given"],
    [undefined, "undefined"],
    [null, "null"],
    [7, "7"],
    [
      { type: "error", message: "in a worker", filename: "a.js", lineno: 3 },
      "in a worker (a.js:3)",
    ],
    [new Event("error"), 'an event "error" without a message'],
    [{ type: "unhandledrejection", reason: new Error("inner") }, "inner"],
    [{ error: { error: "deep" } }, "deep"],
    [{}, "Object without a message"],
    [[1], "Array without a message"],
    [
      {
        get message() {
          throw new Error("trap");
        },
      },
      "Object without a message",
    ],
    [Symbol("odd"), "Symbol(odd)"],
  ];
  for (const [thrown, expected] of cases) assert.equal(reasonOf(thrown), expected);
  for (const [thrown] of cases) assert.doesNotMatch(reasonOf(thrown), /\[object/);
});

test("names, and what is like an error", () => {
  assert.equal(nameOf(runInNewContext('new RangeError("x")')), "RangeError");
  assert.equal(nameOf("words"), "Error");
  assert.equal(isErrorLike(runInNewContext('new Error("x")')), true);
  for (const other of ["x", null, undefined, {}, 7]) assert.equal(isErrorLike(other), false);
});
