// Volumes: log tails, payloads, paths that must not lead out.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Pod, Volume } from "#api";
import type { FileStat, Files } from "#base";
import { aPod } from "../testing/model.ts";
import { tailOf } from "./disk-volumes.ts";
import { prepareHostPath } from "./host-path.ts";
import { parseMounts } from "./mounts.ts";
import { type PayloadDeps, payloadOf } from "./payload.ts";
import { pathInside } from "./safe-path.ts";
import { isBoundInside } from "./sub-path.ts";

test("tailOf() takes the last lines of a log in CRI's format, at most so many bytes", () => {
  const log = ["a", "b b", "c"].map((text) => `2026-01-01T00:00:00Z stdout F ${text}\n`).join("");
  assert.equal(tailOf(log), "a\nb b\nc\n");
  assert.equal(tailOf(log, 2), "b b\nc\n");
  assert.equal(tailOf(log, 80, 4), " b\nc\n".slice(-4));
  assert.equal(tailOf(""), "");
});

/** Paths to what they are: a directory, a file, or where a link leads. */
function filesOf(tree: Readonly<Record<string, "directory" | "file" | `-> ${string}`>>): Files & { readonly made: string[] } {
  const made: string[] = [];
  const stat = async (path: string): Promise<FileStat | undefined> => {
    const found = made.includes(path) ? "directory" : tree[path];
    return found === undefined
      ? undefined
      : {
          kind: found.startsWith("->") ? "symlink" : (found as "directory" | "file"),
          size: 0,
          mode: 0,
          mtimeMs: 0,
          uid: 0,
          gid: 0,
        };
  };
  const part: Partial<Files> = {
    stat,
    readLink: async (path) => (tree[path] ?? "").slice(3),
    makeDirectory: async (path) => void made.push(path),
    write: async (path) => void made.push(path),
    chmod: async () => {},
  };
  return { ...(part as Files), made }; // the tests call nothing else
}

test("pathInside() follows links within the volume, makes what is missing, and refuses to leave", async () => {
  const files = filesOf({
    "/v": "directory",
    "/v/a": "directory",
    "/v/key": "-> ..data/key",
    "/v/..data": "-> ..1",
    "/v/..1": "directory",
    "/v/..1/key": "file",
    "/v/out": "-> /etc",
    "/v/up": "-> ../etc",
    "/v/loop": "-> loop",
    "/etc": "directory",
    "/vault": "directory",
    "/v/near": "-> /vault",
  });
  assert.equal(await pathInside("/v", "key", files), "/v/..1/key");
  assert.equal(await pathInside("/v", "a/new/deep", files), "/v/a/new/deep");
  assert.deepEqual(files.made, ["/v/a/new", "/v/a/new/deep"]);
  for (const path of ["out", "out/passwd", "up", "near"])
    await assert.rejects(pathInside("/v", path, files), /leads out of its volume/, path);
  for (const path of ["../etc", "a/../../etc", "/etc"])
    await assert.rejects(pathInside("/v", path, files), /must be a relative path/, path);
  await assert.rejects(pathInside("/v", "loop", files), /too many symbolic links/);
});

test("a hostPath is what its type says, or is made, or is refused", async () => {
  const files = filesOf({ "/d": "directory", "/f": "file", "/l": "-> /d" });
  const rows: readonly (readonly [string, string, RegExp | undefined])[] = [
    ["/none", "", undefined],
    ["/d", "Directory", undefined],
    ["/l", "Directory", undefined],
    ["/f", "File", undefined],
    ["/f", "Directory", /\/f is not a directory/],
    ["/none", "File", /\/none is not a file/],
    ["/f", "Socket", /is not a socket file/],
    ["/d", "Odd", /Odd is an invalid volume type/],
  ];
  for (const [path, type, error] of rows) {
    if (error === undefined) await prepareHostPath({ path, type }, files);
    else await assert.rejects(prepareHostPath({ path, type }, files), error, `${path} ${type}`);
  }
  await prepareHostPath({ path: "/new", type: "DirectoryOrCreate" }, files);
  assert.deepEqual(files.made, ["/new"]);
});

test("payloads: items choose and rename keys, what is missing is named, optional things are left out", async () => {
  const pod: Pod = aPod();
  const deps: PayloadDeps = {
    objects: {
      configMap: async (_namespace, name) =>
        name === "conf"
          ? { metadata: { name }, data: { a: "1" }, binaryData: { b: Buffer.from("2").toString("base64") } }
          : undefined,
      secret: async () => undefined,
    },
    tokens: { token: async () => "the-token", forget: () => {} } as unknown as PayloadDeps["tokens"],
    facts: () => ({ pod, podIps: [], hostIps: [], allocatable: {} }),
  };
  const texts = async (volume: Omit<Volume, "name">) =>
    Object.fromEntries(
      [...((await payloadOf(pod, { name: "v", ...volume }, deps)) ?? [])].map(([path, file]) => [
        path,
        `${file.data} ${file.mode.toString(8)}`,
      ]),
    );
  assert.deepEqual(await texts({ configMap: { name: "conf" } }), { a: "1 644", b: "2 644" });
  assert.deepEqual(
    await texts({
      configMap: {
        name: "conf",
        defaultMode: 0o400,
        items: [
          { key: "b", path: "x/y", mode: 0o600 },
          { key: "a", path: "z" },
        ],
      },
    }),
    { "x/y": "2 600", z: "1 400" },
  );
  assert.deepEqual(await texts({ secret: { secretName: "none", optional: true } }), {});
  assert.deepEqual(
    await texts({
      projected: {
        sources: [
          { serviceAccountToken: { path: "token" } },
          { downwardAPI: { items: [{ path: "name", fieldRef: { fieldPath: "metadata.name" } }] } },
        ],
      },
    }),
    { token: "the-token 644", name: "web 644" },
  );
  await assert.rejects(texts({ secret: { secretName: "none" } }), /secret "none" not found/);
  await assert.rejects(
    texts({ configMap: { name: "conf", items: [{ key: "q", path: "q" }] } }),
    /references non-existent config key: q/,
  );
  await assert.rejects(texts({ configMap: { name: "conf", items: [{ key: "a", path: "../a" }] } }), /must not contain/);
  assert.equal(await payloadOf(pod, { name: "v", emptyDir: {} }, deps), undefined);
});

test("isBoundInside() judges a bind mount by what it is made of, not by its name", () => {
  const mounts = (bound: string) =>
    parseMounts(
      [
        "1 0 8:1 / / rw - ext4 /dev/a rw",
        "2 1 8:2 / /data rw - ext4 /dev/b rw",
        "3 2 0:50 / /data/v/tmp rw - tmpfs tmpfs rw",
        "4 1 0:51 / /elsewhere rw - tmpfs tmpfs rw",
        `5 1 ${bound} /data/target\\040x rw - ext4 /dev/b rw`,
      ].join("\n"),
    );
  const rows: readonly (readonly [string, boolean])[] = [
    ["8:2 /v", true],
    ["8:2 /v/sub", true],
    ["8:2 /vault", false],
    ["8:2 /", false],
    ["8:1 /v/sub", false],
    ["0:50 /", true],
    ["0:50 /deep", true],
    ["0:51 /", false],
  ];
  for (const [bound, expected] of rows) assert.equal(isBoundInside(mounts(bound), "/data/target x", "/data/v"), expected, bound);
  assert.equal(isBoundInside(mounts("8:2 /v"), "/data/none", "/data/v"), false);
  assert.equal(
    isBoundInside(parseMounts("1 0 8:1 / / rw\n2 1 8:1 /etc/x /t rw"), "/t", "/etc"),
    true,
    "a volume on the root file system",
  );
});
