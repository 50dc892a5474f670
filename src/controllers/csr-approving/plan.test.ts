// Which requests are approved without a person.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as fc from "fast-check";
import { certificateRequest, decided, type RequestChanges } from "../testing/certificate-request.ts";
import { planApproval } from "./plan.ts";

const tried = (changes: RequestChanges): string[] =>
  planApproval(certificateRequest(changes)).map(({ subresource }) => subresource);

describe("a request", () => {
  for (const [name, changes, expected] of [
    ["of a new node needs the right to have a first one", {}, ["nodeclient"]],
    [
      "of a node for itself needs the right to renew, or the other",
      { username: "system:node:n1" },
      ["selfnodeclient", "nodeclient"],
    ],
    ["of a node for another one is as a new one's", { username: "system:node:n2" }, ["nodeclient"]],
    ["that was decided stays as it is", { status: decided("Denied") }, []],
    ["that has its certificate stays as it is", { status: { certificate: "eA==" } }, []],
    ["for a kubelet's server is a person's to decide", { signerName: "kubernetes.io/kubelet-serving" }, []],
    ["for a user is a person's to decide", { subject: { commonName: "bob" } }, []],
    ["for more than a kubelet needs is a person's to decide", { usages: ["client auth", "server auth"] }, []],
  ] as const)
    test(name, () => assert.deepEqual(tried(changes), expected));
});

test("no request for another group than the nodes' is ever approved without a person", () => {
  const groups = fc.uniqueArray(fc.constantFrom("system:nodes", "system:masters", "dev"), { maxLength: 3 });
  fc.assert(
    fc.property(groups, fc.constantFrom("system:node:n1", "admin"), (organizations, commonName) => {
      const isNodes = organizations.join() === "system:nodes" && commonName.startsWith("system:node:");
      assert.equal(tried({ subject: { commonName, organizations }, username: commonName }).length > 0, isNodes);
    }),
    { numRuns: 50 },
  );
});
