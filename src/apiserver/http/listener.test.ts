// The server over real sockets: HTTP/2, HTTP/1.1, watches, refusals, and tunnels to a kubelet.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:http2";
import { createServer, request as httpsRequest } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { nodes, pods } from "#api";
import { seededRandom, silentLog, systemClock, systemFiles } from "#base";
import { openMemoryStore } from "#store";
import { ensurePki, type Pki } from "../security/mod.ts";
import { type RunningApiServer, startApiServer } from "../start.ts";
import { configMap, pod } from "../testing/server.ts";

interface Got {
  readonly status: number;
  readonly text: string;
  readonly headers: Record<string, unknown>;
}

describe("API server over HTTPS", () => {
  let directory: string;
  let pki: Pki;
  let server: RunningApiServer;
  const token = { authorization: "Bearer t" };

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "apiserver-"));
    pki = await ensurePki(directory, {
      files: systemFiles,
      clock: systemClock,
      random: seededRandom(1),
      serverNames: ["127.0.0.1"],
    });
    server = await startApiServer(
      {
        listen: { address: "127.0.0.1", port: 0, cert: pki.apiserver.certificate, key: pki.apiserver.key },
        clientCa: pki.ca.certificate,
        serviceAccountKey: pki.serviceAccount,
        staticTokens: 't,admin,1,"system:masters"\n',
        kubeletClient: { cert: pki.apiserverKubeletClient.certificate, key: pki.apiserverKubeletClient.key },
      },
      {
        store: openMemoryStore({ clock: systemClock }),
        clock: systemClock,
        random: seededRandom(1),
        files: systemFiles,
        log: silentLog,
      },
    );
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    await rm(directory, { recursive: true });
  });

  function h2(
    method: string,
    path: string,
    headers: Record<string, string> = token,
    body?: string | Buffer,
    tls: object = {},
  ): Promise<Got> {
    return new Promise((resolve, reject) => {
      const session = connect(server.url, { rejectUnauthorized: false, ...tls });
      session.on("error", reject);
      const stream = session.request({ ":method": method, ":path": path, ...headers }, { endStream: body === undefined });
      const chunks: Buffer[] = [];
      let head: Record<string, unknown> = {};
      stream.on("response", (received) => {
        head = received;
      });
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("error", reject);
      stream.on("close", () => {
        session.close();
        resolve({ status: Number(head[":status"]), text: Buffer.concat(chunks).toString(), headers: head });
      });
      if (body !== undefined) stream.end(body);
    });
  }

  function h1(
    path: string,
    headers: Record<string, string>,
  ): Promise<{ readonly status: number; readonly text: string; readonly upgraded: boolean }> {
    return new Promise((resolve, reject) => {
      const outgoing = httpsRequest(
        { host: "127.0.0.1", port: server.port, path, headers, rejectUnauthorized: false, agent: false },
        (incoming) => {
          const chunks: Buffer[] = [];
          incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
          incoming.on("end", () =>
            resolve({ status: incoming.statusCode ?? 0, text: Buffer.concat(chunks).toString(), upgraded: false }),
          );
        },
      );
      outgoing.on("upgrade", (response, socket, head) => {
        const chunks: Buffer[] = [head];
        socket.on("data", (chunk: Buffer) => chunks.push(chunk));
        socket.on("end", () =>
          resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString(), upgraded: true }),
        );
        socket.write("ping");
      });
      outgoing.on("error", reject);
      outgoing.end();
    });
  }

  it("looks at the fields of what is applied before it looks for keys that stand twice", async () => {
    const apply = async (...lines: string[]): Promise<readonly [number, string]> => {
      const body = ["apiVersion: v1", "kind: ConfigMap", "metadata: {name: twice}", ...lines].join("\n");
      const path = "/api/v1/namespaces/default/configmaps/twice?fieldManager=m&fieldValidation=Strict";
      const { status, text } = await h2("PATCH", path, { ...token, "content-type": "application/apply-patch+yaml" }, body);
      return [status, JSON.parse(text).message ?? ""];
    };
    assert.deepEqual(await apply("nope: 1", "nope: 2"), [
      500,
      "failed to create typed patch object (/twice; /v1, Kind=ConfigMap): .nope: field not declared in schema",
    ]);
    assert.deepEqual(await apply("data: {a: b}", "data: {a: c}"), [
      400,
      'error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n  line 5: key "data" already set in map',
    ]);
  });

  it("answers in the form that was asked for where there is one: a scale as a table, a status as itself, the root as ever", async () => {
    const accepting = (accept: string): Record<string, string> => ({ ...token, accept });
    const table = accepting("application/json;as=Table;v=v1;g=meta.k8s.io");
    const maps = "/api/v1/namespaces/default/configmaps";
    await h2("POST", maps, { ...token, "content-type": "application/json" }, JSON.stringify(configMap("gone")));
    const gone = await h2("DELETE", `${maps}/gone`, accepting("application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"));
    assert.deepEqual([gone.status, JSON.parse(gone.text).status], [200, "Success"]);
    const sets = "/apis/apps/v1/namespaces/default/replicasets";
    const template = { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "c", image: "i" }] } };
    const set = { metadata: { name: "r" }, spec: { replicas: 2, selector: { matchLabels: { a: "b" } }, template } };
    await h2("POST", sets, { ...token, "content-type": "application/json" }, JSON.stringify(set));
    const scale = JSON.parse((await h2("GET", `${sets}/r/scale`, table)).text);
    assert.deepEqual([scale.kind, scale.rows[0].cells.slice(0, 3)], ["Table", ["r", 2, 0]]);
    assert.equal((await h2("GET", "/", accepting("text/html"))).status, 200);
    assert.equal((await h2("GET", "/version", accepting("text/html"))).status, 406);
    assert.equal((await h2("GET", "/.well-known/openid-configuration/")).status, 200);
    const watch = await h2("GET", "/api/v1/watch");
    assert.deepEqual(
      [watch.status, watch.text],
      [
        500,
        'Internal Server Error: "/api/v1/watch": failed to create RequestInfo: unable to determine kind and namespace from url, /api/v1/watch\n',
      ],
    );
  });

  it("answers over HTTP/2 and HTTP/1.1 on one port", async () => {
    for (const got of [await h2("GET", "/version"), await h1("/version", token)]) assert.match(got.text, /v1\.36\.2\+tiphys/);
  });

  it("keeps an idle HTTP/1.1 connection for 90 seconds, as upstream", async () => {
    const kept = await new Promise((resolve, reject) =>
      httpsRequest(
        `${server.url}/version`,
        { rejectUnauthorized: false, headers: { ...token, connection: "keep-alive" }, agent: false },
        (response) => resolve(response.resume().headers["keep-alive"]),
      )
        .on("error", reject)
        .end(),
    );
    assert.equal(kept, "timeout=90");
  });

  it("knows users by client certificate", async () => {
    const got = await h2("GET", "/api/v1/namespaces", {}, undefined, { cert: pki.admin.certificate, key: pki.admin.key });
    assert.equal(got.status, 200);
  });

  it("answers 401 to a bad token and 403 to nobody", async () => {
    assert.equal((await h2("GET", "/api/v1/namespaces", { authorization: "Bearer wrong" })).status, 401);
    assert.equal((await h2("GET", "/api/v1/namespaces", {})).status, 403);
  });

  it("sends nobody's connection elsewhere, and that of a bad token", async () => {
    for (const headers of [{ authorization: "Bearer wrong" }, {}]) {
      const session = connect(server.url, { rejectUnauthorized: false });
      const goaway = new Promise((resolve) => session.once("goaway", resolve));
      const stream = session.request({ ":path": "/api/v1/namespaces", ...headers });
      await new Promise((resolve) => stream.resume().once("close", resolve));
      assert.equal(await goaway, 0);
    }
  });

  it("refuses a body of more than 3 MiB", async () => {
    const got = await h2(
      "POST",
      "/api/v1/namespaces/default/configmaps",
      { ...token, "content-type": "application/json" },
      Buffer.alloc(3 * 1024 * 1024 + 1, 0x20),
    );
    assert.equal(got.status, 413);
    assert.match(got.text, /Request entity too large: limit is 3145728/);
  });

  it("speaks YAML and protobuf", async () => {
    await h2(
      "POST",
      "/api/v1/namespaces/default/configmaps",
      { ...token, "content-type": "application/yaml" },
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: yam}\ndata: {k: v}\n",
    );
    assert.match(
      (await h2("GET", "/api/v1/namespaces/default/configmaps/yam", { ...token, accept: "application/yaml" })).text,
      /^apiVersion: v1\ndata:\n {2}k: v\n/,
    );
    const protobuf = await h2("GET", "/api/v1/namespaces/default/configmaps/yam", {
      ...token,
      accept: "application/vnd.kubernetes.protobuf",
    });
    assert.equal(protobuf.text.slice(0, 4), "k8s\0");
  });

  it("streams a watch, one line per event, the object's bytes as they are stored", async () => {
    const session = connect(server.url, { rejectUnauthorized: false });
    const stream = session.request({
      ":path": "/api/v1/namespaces/default/configmaps?watch=1&fieldSelector=metadata.name%3Dwatched",
      ...token,
    });
    await new Promise((resolve) => stream.once("response", resolve));
    const lines: string[] = [];
    const two = new Promise<void>((resolve) => {
      let text = "";
      stream.on("data", (chunk: Buffer) => {
        text += chunk.toString();
        lines.splice(0, lines.length, ...text.split("\n").filter((line) => line !== ""));
        if (lines.length === 2) resolve();
      });
    });
    await h2(
      "POST",
      "/api/v1/namespaces/default/configmaps",
      { ...token, "content-type": "application/json" },
      JSON.stringify(configMap("watched")),
    );
    await h2("DELETE", "/api/v1/namespaces/default/configmaps/watched");
    await two;
    session.destroy();
    const events = lines.map(
      (line) => JSON.parse(line) as { type: string; object: { kind: string; metadata: { name: string } } },
    );
    assert.deepEqual(
      events.map((event) => [event.type, event.object.kind, event.object.metadata.name]),
      [
        ["ADDED", "ConfigMap", "watched"],
        ["DELETED", "ConfigMap", "watched"],
      ],
    );
  });

  it("passes logs through and joins upgraded connections with the kubelet, showing it our certificate and none of the caller's credentials", async () => {
    const seen: { url: string; authorization: string | undefined; user: unknown }[] = [];
    const kubelet = createServer(
      { cert: pki.apiserver.certificate, key: pki.apiserver.key, ca: pki.ca.certificate, requestCert: true },
      (request, response) => {
        seen.push({
          url: request.url ?? "",
          authorization: request.headers.authorization,
          user: (request.socket as unknown as { getPeerCertificate(): { subject?: { CN: string } } }).getPeerCertificate().subject
            ?.CN,
        });
        const isPrevious = request.url?.includes("previous=true") === true;
        response.statusCode = isPrevious ? 400 : 200;
        response.end(isPrevious ? "it never ran before" : "log line\n");
      },
    );
    kubelet.on("upgrade", (request, socket) => {
      seen.push({ url: request.url ?? "", authorization: request.headers.authorization, user: "" });
      socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
      socket.once("data", (chunk: Buffer) => socket.end(`pong ${chunk.toString()}`));
    });
    await new Promise<void>((resolve) => kubelet.listen(0, "127.0.0.1", resolve));
    const { port } = kubelet.address() as AddressInfo;
    await server.writer.create(nodes, {
      metadata: { name: "n" },
      status: { addresses: [{ type: "InternalIP", address: "127.0.0.1" }], daemonEndpoints: { kubeletEndpoint: { Port: port } } },
    } as never);
    await server.writer.create(pods, {
      ...(pod("p", { nodeName: "n" }) as { metadata: { name: string } }),
      metadata: { name: "p", namespace: "default" },
    } as never);
    const log = await h2("GET", "/api/v1/namespaces/default/pods/p/log?follow=true&tailLines=5");
    assert.deepEqual([log.status, log.text], [200, "log line\n"]);
    const before = await h2("GET", "/api/v1/namespaces/default/pods/p/log?previous=true");
    const { kind, reason, message } = JSON.parse(before.text);
    assert.deepEqual([before.status, kind, reason, message], [400, "Status", "BadRequest", "it never ran before"]);
    seen.pop();
    const refused = await h2("GET", "/api/v1/namespaces/default/pods/p/exec?command=ls&stdout=true");
    assert.match(refused.text, /Upgrade request required/);
    const exec = await h1("/api/v1/namespaces/default/pods/p/exec?command=ls&stdout=true", {
      ...token,
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-protocol": "v5.channel.k8s.io",
    });
    assert.deepEqual(exec, { status: 101, text: "pong ping", upgraded: true });
    assert.deepEqual(
      seen.map(({ url, authorization }) => [url, authorization]),
      [
        ["/containerLogs/default/p/c?follow=true&tailLines=5", undefined],
        ["/exec/default/p/c?output=1&command=ls", undefined],
      ],
    );
    assert.equal(seen[0]?.user, "kube-apiserver-kubelet-client");
    kubelet.closeAllConnections();
    await new Promise((resolve) => kubelet.close(resolve));
  });
});
