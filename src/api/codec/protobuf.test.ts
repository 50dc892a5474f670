// The k8s\0 envelope and the messages inside, there and back.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  builtInKinds,
  decodeProtobuf,
  encodeProtobuf,
  hasProtobuf,
  isProtobuf,
  type JsonObject,
  openProtobuf,
  protobufWatchFrame,
  readProtobufWatchFrames,
} from "../mod.ts";

const configMap = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "a", namespace: "default" },
  data: { k: "v" },
  binaryData: { b: "AQI=" },
};

describe("encodeProtobuf()", () => {
  it("puts the object in an envelope that names its kind", () => {
    const bytes = encodeProtobuf(configMap);
    assert.equal(bytes.subarray(0, 4).toString("latin1"), "k8s\0");
    const { apiVersion, kind } = openProtobuf(bytes);
    assert.deepEqual([apiVersion, kind], ["v1", "ConfigMap"]);
    assert.deepEqual(decodeProtobuf(bytes), configMap);
  });

  it("refuses a kind that has no protobuf form", () => {
    assert.throws(
      () => encodeProtobuf({ apiVersion: "example.com/v1", kind: "Widget" }),
      /Cannot encode "example.com\/v1" "Widget" as protobuf: the kind is not built in/,
    );
    assert.equal(hasProtobuf({ group: "example.com", version: "v1", kind: "Widget" }), false);
  });

  for (const [title, object] of [
    [
      "a list",
      {
        apiVersion: "v1",
        kind: "ConfigMapList",
        metadata: { resourceVersion: "5" },
        items: [{ metadata: { name: "a" } }, { metadata: { name: "b" }, data: { x: "" } }],
      },
    ],
    [
      "a Status",
      {
        apiVersion: "v1",
        kind: "Status",
        metadata: {},
        status: "Failure",
        message: "m",
        reason: "NotFound",
        details: { name: "a", kind: "pods" },
        code: 404,
      },
    ],
    [
      "pointers to zero",
      {
        apiVersion: "apps/v1",
        kind: "Deployment",
        metadata: { name: "d" },
        spec: {
          replicas: 0,
          selector: null,
          template: { metadata: {}, spec: { containers: null, automountServiceAccountToken: false } },
          strategy: {},
        },
        status: {},
      },
    ],
    [
      "a port by number and by name",
      {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "s" },
        spec: {
          ports: [
            { port: 80, targetPort: "http" },
            { port: 81, targetPort: 8081 },
          ],
        },
        status: { loadBalancer: {} },
      },
    ],
    [
      "fields of embedded structs",
      {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: "p" },
        spec: {
          containers: [{ name: "c", resources: {}, livenessProbe: { exec: { command: ["x"] }, periodSeconds: 5 } }],
          volumes: [
            { name: "v", emptyDir: {} },
            { name: "w", secret: { secretName: "s" } },
          ],
        },
        status: {},
      },
    ],
    [
      "a raw object",
      {
        apiVersion: "apps/v1",
        kind: "ControllerRevision",
        metadata: { name: "c" },
        data: { spec: { a: [1, null] } },
        revision: 3,
      },
    ],
    [
      "managed fields",
      {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: {
          name: "a",
          managedFields: [
            {
              manager: "m",
              operation: "Apply",
              apiVersion: "v1",
              time: "2024-01-01T00:00:00Z",
              fieldsType: "FieldsV1",
              fieldsV1: { "f:data": { "f:k": {} } },
            },
          ],
        },
      },
    ],
    [
      "a time in microseconds",
      {
        apiVersion: "coordination.k8s.io/v1",
        kind: "Lease",
        metadata: { name: "l" },
        spec: { renewTime: "2024-01-01T00:00:00.000001Z" },
      },
    ],
    [
      "named lists of text",
      {
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenReview",
        metadata: {},
        spec: {},
        status: { user: { username: "u", extra: { k: ["a", "b"] } } },
      },
    ],
    [
      "delete options of any group",
      { apiVersion: "autoscaling/v2", kind: "DeleteOptions", gracePeriodSeconds: 0, propagationPolicy: "Foreground" },
    ],
    [
      "partial metadata",
      { apiVersion: "meta.k8s.io/v1", kind: "PartialObjectMetadataList", metadata: {}, items: [{ metadata: { name: "a" } }] },
    ],
  ] as const) {
    it(`is undone by decodeProtobuf() for ${title}`, () =>
      assert.deepEqual(decodeProtobuf(encodeProtobuf(object as unknown as JsonObject)), object));
  }

  it("is undone by decodeProtobuf() for the empty object of every built-in kind", () => {
    const kinds = Object.keys(builtInKinds());
    assert.ok(kinds.length > 150);
    for (const key of kinds) {
      // a WatchEvent is not an object: it has no kind of its own
      if (key.endsWith("/WatchEvent")) continue;
      const [group = "", version = "", kind = ""] = key.split("/");
      const empty = decodeProtobuf(encodeProtobuf({ apiVersion: group === "" ? version : `${group}/${version}`, kind }));
      assert.deepEqual(decodeProtobuf(encodeProtobuf(empty)), empty);
    }
  });
});

describe("decodeProtobuf()", () => {
  it("leaves out what a Go client writes although it is empty", () => {
    // ConfigMap with metadata { name: "a", generateName: "", generation: 0, ... } as client-go sends it
    const metadata = Buffer.from("0a0161" + "1200" + "1a00" + "2200" + "2a00" + "3200" + "3800" + "4200", "hex");
    const raw = Buffer.concat([Buffer.from([0x0a, metadata.length]), metadata]);
    const unknown = Buffer.concat([
      Buffer.from("6b387300", "hex"),
      Buffer.from("0a0f0a0276311209436f6e6669674d6170", "hex"),
      Buffer.from([0x12, raw.length]),
      raw,
      Buffer.from("1a002200", "hex"),
    ]);
    assert.deepEqual(decodeProtobuf(unknown), { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a" } });
  });

  it("takes the expected kind where the envelope names none", () => {
    const bytes = encodeProtobuf({ apiVersion: "v1", kind: "ConfigMap", data: { a: "b" } });
    const { raw } = openProtobuf(bytes);
    const bare = Buffer.concat([Buffer.from("k8s\0", "latin1"), Buffer.from([0x0a, 0x00, 0x12, raw.length]), raw]);
    assert.deepEqual(decodeProtobuf(bare, { group: "", version: "v1", kind: "ConfigMap" }), {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: {},
      data: { a: "b" },
    });
  });

  it("refuses what is no envelope, is cut short, or names an unknown kind, in upstream's words", () => {
    assert.throws(() => decodeProtobuf(Buffer.from('{"kind":"ConfigMap"}')), {
      name: "DecodeError",
      message: "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]",
    });
    assert.equal(isProtobuf(Buffer.from("k8")), false);
    assert.throws(() => decodeProtobuf(encodeProtobuf(configMap).subarray(0, 30)), { name: "DecodeError" });
    assert.throws(() => decodeProtobuf(Buffer.from("6b3873000a0b0a027631120" + "54e6f706531", "hex")), {
      message: 'no kind "Nope1" is registered for version "v1" in scheme "pkg/api/legacyscheme/scheme.go:30"',
    });
  });
});

describe("watch frames", () => {
  it("carry type and object behind four bytes of length, and are read one by one", () => {
    const frame = protobufWatchFrame("ADDED", encodeProtobuf(configMap));
    assert.equal(frame.readUInt32BE(0), frame.length - 4);
    const bookmark = protobufWatchFrame(
      "BOOKMARK",
      encodeProtobuf({ apiVersion: "v1", kind: "ConfigMap", metadata: { resourceVersion: "9" } }),
    );
    const both = Buffer.concat([frame, bookmark]);
    const part = readProtobufWatchFrames(both.subarray(0, both.length - 1));
    assert.deepEqual(part.events, [{ type: "ADDED", object: configMap }]);
    assert.equal(part.taken, frame.length);
    assert.equal(readProtobufWatchFrames(both).events[1]?.type, "BOOKMARK");
  });
});
