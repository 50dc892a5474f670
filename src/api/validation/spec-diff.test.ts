// What may not change is shown as upstream shows it: recorded answers, and a diff that is no diff of Kubernetes.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type AnyObject, kindRules } from "../rules.ts";
import { jsonDiff, unifiedDiff } from "./spec-diff.ts";

const metadata = { name: "a", namespace: "n", uid: "u", resourceVersion: "1", creationTimestamp: "2024-01-01T00:00:00Z" };

/** The diff in the first cause of a refused change. */
function shown(kind: string, object: AnyObject, change: AnyObject): string | undefined {
  const old = { metadata, ...object };
  const [error] = kindRules[`/${kind}`]?.validateUpdate?.({ ...old, spec: { ...old.spec, ...change } }, old) ?? [];
  return error?.detail.slice(error.detail.indexOf("\n@@") + 1);
}

describe("the diff of what may not change", () => {
  const spec = {
    accessModes: ["ReadWriteOnce"],
    resources: { requests: { storage: "1Gi" } },
    storageClassName: "sc",
    volumeMode: "Filesystem",
  };

  it("shows a claim's other class", () => {
    assert.equal(
      shown("PersistentVolumeClaim", { spec, status: { phase: "Pending" } }, { storageClassName: "other" }),
      `@@ -10,7 +10,7 @@
   }
  },
  "VolumeName": "",
- "StorageClassName": "sc",
+ "StorageClassName": "other",
  "VolumeMode": "Filesystem",
  "DataSource": null,
  "DataSourceRef": null,
`,
    );
  });

  it("shows that a claim which is not bound keeps its class of attributes", () => {
    assert.equal(
      shown("PersistentVolumeClaim", { spec, status: { phase: "Pending" } }, { volumeAttributesClassName: "v" }),
      `@@ -14,5 +14,5 @@
  "VolumeMode": "Filesystem",
  "DataSource": null,
  "DataSourceRef": null,
- "VolumeAttributesClassName": null
+ "VolumeAttributesClassName": "v"
 }
`,
    );
    const bound = { spec: { ...spec, volumeName: "pv" }, status: { phase: "Bound", capacity: { storage: "1Gi" } } };
    assert.equal(shown("PersistentVolumeClaim", bound, { volumeAttributesClassName: "v" }), undefined);
  });

  it("shows a volume's other source", () => {
    const volume = {
      metadata: { ...metadata, namespace: undefined },
      spec: {
        capacity: { storage: "1Gi" },
        accessModes: ["ReadWriteOnce"],
        persistentVolumeReclaimPolicy: "Retain",
        volumeMode: "Filesystem",
        hostPath: { path: "/x", type: "" },
      },
    };
    assert.equal(
      shown("PersistentVolume", volume, { hostPath: undefined, nfs: { server: "s", path: "/p" } }),
      `@@ -1,12 +1,13 @@
 {
  "GCEPersistentDisk": null,
  "AWSElasticBlockStore": null,
- "HostPath": {
-  "Path": "/x",
-  "Type": ""
+ "HostPath": null,
+ "Glusterfs": null,
+ "NFS": {
+  "Server": "s",
+  "Path": "/p",
+  "ReadOnly": false
  },
- "Glusterfs": null,
- "NFS": null,
  "RBD": null,
  "Quobyte": null,
  "ISCSI": null,
`,
    );
  });

  it("is one part for each place, and nothing for what is the same", () => {
    const numbers = Array.from({ length: 20 }, (_, index) => index);
    const changed = numbers.map((value) => (value === 2 || value === 17 ? -value : value));
    assert.deepEqual(jsonDiff(numbers, changed).match(/^@@.*|^[-+] .*/gm), [
      "@@ -1,7 +1,7 @@",
      "- 2,",
      "+ -2,",
      "@@ -16,7 +16,7 @@",
      "- 17,",
      "+ -17,",
    ]);
    assert.equal(jsonDiff({ a: "<" }, { a: "<" }), "");
    assert.equal(jsonDiff("<", ">"), '@@ -1 +1 @@\n-"\\u003c"\n+"\\u003e"\n');
    assert.equal(unifiedDiff([], ["a"]), "@@ -0,0 +1 @@\n+a\n");
  });

  it("gives up on what would take all day: the rest counts as changed", () => {
    const lines = Array.from({ length: 20_000 }, (_, index) => `line ${index}`);
    const changed = lines.map((line, index) => (index % 2 === 0 ? line : `another ${index}`));
    const text = unifiedDiff(lines, changed).split("\n");
    const equal = text.filter((line) => line.startsWith(" ")).length;
    assert.ok(equal > 10 && equal < 1_000, `${equal} lines were found equal`);
    assert.equal(text.filter((line) => line.startsWith("-")).length, lines.length - equal);
    assert.equal(text.filter((line) => line.startsWith("+")).length, lines.length - equal);
  });
});
