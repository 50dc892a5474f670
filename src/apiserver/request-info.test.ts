// What requests are about, from method and path.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseQuery } from "./query.ts";
import { requestInfo } from "./request-info.ts";

const rows: readonly (readonly [
  request: string,
  verb: string,
  group: string,
  resource: string,
  namespace: string,
  name: string,
  subresource: string,
])[] = [
  ["GET /api/v1/pods", "list", "", "pods", "", "", ""],
  ["GET /api/v1/namespaces/a/pods/p", "get", "", "pods", "a", "p", ""],
  ["GET /api/v1/namespaces/a/pods/p/log", "get", "", "pods", "a", "p", "log"],
  ["GET /api/v1/namespaces/a/pods?watch=1", "watch", "", "pods", "a", "", ""],
  ["GET /api/v1/namespaces/a/pods?watch=false", "list", "", "pods", "a", "", ""],
  ["GET /api/v1/namespaces/a/pods?fieldSelector=metadata.name%3Dx", "list", "", "pods", "a", "x", ""],
  ["DELETE /api/v1/namespaces/a/pods?fieldSelector=metadata.name%3Dx", "deletecollection", "", "pods", "a", "", ""],
  ["POST /apis/apps/v1/namespaces/a/deployments", "create", "apps", "deployments", "a", "", ""],
  ["PUT /api/v1/namespaces/a/finalize", "update", "", "namespaces", "a", "a", "finalize"],
  ["GET /api/v1/namespaces/a", "get", "", "namespaces", "a", "a", ""],
  ["PATCH /api/v1/nodes/n/status", "patch", "", "nodes", "", "n", "status"],
  ["GET /api/v1/watch/namespaces/a/pods", "watch", "", "pods", "a", "", ""],
];

describe("requestInfo()", () => {
  for (const [request, verb, group, resource, namespace, name, subresource] of rows) {
    it(`reads ${request}`, () => {
      const [method = "", url = ""] = request.split(" ");
      const [path = "", query = ""] = url.split("?");
      const info = requestInfo(method, path, parseQuery(query));
      assert.deepEqual(
        {
          verb: info.verb,
          group: info.group,
          resource: info.resource,
          namespace: info.namespace,
          name: info.name,
          subresource: info.subresource,
        },
        { verb, group, resource, namespace, name, subresource },
      );
    });
  }

  it("takes other paths as they are", () => {
    const info = requestInfo("GET", "/healthz", parseQuery(""));
    assert.equal(info.isResource, false);
    assert.equal(info.verb, "get");
  });
});
