// Two lanes, abort, end: js/src/client/queue.ts alone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { CallQueue } from "../../dist/js/client/queue.js";
import { rejection } from "./support/fake.mjs";

function makeQueue() {
  const sent = [];
  const stopped = [];
  const busy = [];
  const queue = new CallQueue({
    send: (id, request) => sent.push({ id, request }),
    stop: (id) => stopped.push(id),
    busy: (now) => busy.push(now),
  });
  /** Answers the call that was sent last. */
  const answer = (value) => queue.answer(sent.at(-1).id, value);
  return { queue, sent, stopped, busy, answer, requests: () => sent.map(({ request }) => request) };
}

test("one call at a time, in order", async () => {
  const { queue, answer, requests } = makeQueue();
  const first = queue.submit(() => "a", "interactive");
  const second = queue.submit(() => "b", "interactive");
  assert.deepEqual(requests(), ["a"]);
  answer(1);
  assert.deepEqual(requests(), ["a", "b"]);
  answer(2);
  assert.deepEqual(await Promise.all([first, second]), [1, 2]);
});

test("interactive calls go before background ones that wait", async () => {
  const { queue, answer, requests } = makeQueue();
  const all = [
    queue.submit(() => "photo 1", "background"),
    queue.submit(() => "photo 2", "background"),
    queue.submit(() => "query", "interactive"),
  ];
  for (let i = 0; i < 3; i++) answer(i);
  assert.deepEqual(requests(), ["photo 1", "query", "photo 2"]);
  assert.deepEqual(await Promise.all(all), [0, 2, 1]);
});

test("requests are made when their turn comes", () => {
  const { queue, answer } = makeQueue();
  let made = 0;
  queue.submit(() => "a", "interactive");
  queue.submit(() => {
    made++;
    return "b";
  }, "interactive");
  assert.equal(made, 0);
  answer();
  assert.equal(made, 1);
});

test("a request that cannot be made rejects, and the next goes", async () => {
  const { queue, requests } = makeQueue();
  const error = new Error("no");
  assert.equal(
    await rejection(
      queue.submit(() => {
        throw error;
      }, "interactive"),
    ),
    error,
  );
  queue.submit(() => "b", "interactive");
  assert.deepEqual(requests(), ["b"]);
});

test("an aborted signal rejects before anything is sent", async () => {
  const { queue, sent } = makeQueue();
  const reason = new Error("changed my mind");
  assert.equal(
    await rejection(queue.submit(() => "a", "interactive", AbortSignal.abort(reason))),
    reason,
  );
  assert.equal(sent.length, 0);
});

test("abort removes a waiting call", async () => {
  const { queue, answer, requests, stopped } = makeQueue();
  const abort = new AbortController();
  const first = queue.submit(() => "a", "interactive");
  const waiting = queue.submit(() => "b", "interactive", abort.signal);
  const last = queue.submit(() => "c", "interactive");
  abort.abort();
  assert.equal((await rejection(waiting)).name, "AbortError");
  answer(1);
  answer(3);
  assert.deepEqual(await Promise.all([first, last]), [1, 3]);
  assert.deepEqual(requests(), ["a", "c"]);
  assert.deepEqual(stopped, []);
});

test("abort of a running call rejects at once; the next waits for the engine", async () => {
  const { queue, answer, requests, stopped, sent } = makeQueue();
  const abort = new AbortController();
  const running = queue.submit(() => "a", "interactive", abort.signal);
  const next = queue.submit(() => "b", "interactive");
  abort.abort("reason");
  assert.equal(await rejection(running), "reason");
  assert.deepEqual(stopped, [sent[0].id]);
  assert.deepEqual(requests(), ["a"]);
  answer("nobody wants it");
  assert.deepEqual(requests(), ["a", "b"]);
  answer(2);
  assert.equal(await next, 2);
});

test("answers to unknown calls change nothing", async () => {
  const { queue, sent, answer } = makeQueue();
  const call = queue.submit(() => "a", "interactive");
  queue.answer(sent[0].id + 7, "wrong");
  queue.fail(sent[0].id + 7, "wrong");
  answer("right");
  assert.equal(await call, "right");
});

test("end rejects everything, now and later", async () => {
  const { queue, sent, answer } = makeQueue();
  const calls = [
    queue.submit(() => "a", "interactive"),
    queue.submit(() => "b", "background"),
    queue.submit(() => "c", "interactive"),
  ];
  queue.end("over");
  assert.deepEqual(await Promise.all(calls.map(rejection)), ["over", "over", "over"]);
  assert.equal(await rejection(queue.submit(() => "d", "interactive")), "over");
  answer(1); // too late
  queue.end("twice");
  assert.equal(sent.length, 1);
});

test("busy while something runs", () => {
  const { queue, answer, busy } = makeQueue();
  queue.submit(() => "a", "interactive");
  queue.submit(() => "b", "interactive");
  answer();
  assert.deepEqual(busy, [true]);
  answer();
  assert.deepEqual(busy, [true, false]);
});
