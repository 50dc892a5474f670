// A manifest over a real connection.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { fetchManifest } from "./fetch-manifest.ts";

test("fetchManifest() sends its headers and gives status and body, whatever the status", async () => {
  const asked: unknown[] = [];
  const server = createServer((request, response) => {
    asked.push([request.url, request.headers["x-who"]]);
    response.writeHead(request.url === "/gone" ? 404 : 200, request.url === "/gone" ? "Gone Away" : "OK").end("text");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const headers = [
      ["X-Who", "a"],
      ["X-Who", "b"],
    ] as const;
    assert.deepEqual(await fetchManifest(`${url}/pods`, headers), { status: 200, statusText: "OK", body: "text" });
    assert.deepEqual(await fetchManifest(`${url}/gone`, []), { status: 404, statusText: "Gone Away", body: "text" });
    assert.deepEqual(asked, [
      ["/pods", "a, b"],
      ["/gone", undefined],
    ]);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
