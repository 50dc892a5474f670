// The real border to webhooks, where nobody answers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createWebhookDialer } from "./dialer.ts";

test("a webhook that nobody serves is told by the address that was dialled", async () => {
  using dialer = createWebhookDialer();
  const target = { url: "https://hook.default.svc:443/x", address: { host: "127.0.0.1", port: 1 } };
  await assert.rejects(dialer.post(target, "{}", new AbortController().signal), {
    message: "dial tcp 127.0.0.1:1: connect: connection refused",
  });
});
