// Runs as a shared worker and as a service worker, which have no Worker in Chromium. Static import: service workers have no other.
import { load } from "../../../dist/js/index.js";

const channel = new BroadcastChannel(location.search.slice(1));
load({ model: "/tests/data/golden-a/" }).then(
  ({ info }) => channel.postMessage(info),
  ({ name, code, detail, message }) =>
    channel.postMessage({ name, code, detail: detail ?? message }),
);
