// A client-go program lists, watches (informers), creates, patches, deletes, follows a log and reads the OpenAPI document of us, in JSON and in protobuf.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { needs, run, startTiphys, type Tiphys } from "../support/tiphys.ts";

const directory = join(import.meta.dirname, "client-go");
const skip = needs("go");

describe("client-go", { skip, concurrency: false }, () => {
  let cluster: Tiphys;
  let program: string;
  before(async () => {
    cluster = await startTiphys(["--nodes", "0", "--sim-nodes", "2"]);
    program = join(cluster.info.dataDir, "client-go");
    const built = await run("sh", ["-c", `cd ${directory} && go build -o ${program} .`], { timeoutMs: 280_000 });
    assert.equal(built.code, 0, built.stderr);
  });
  after(() => cluster?.[Symbol.asyncDispose]());

  for (const contentType of ["application/json", "application/vnd.kubernetes.protobuf"]) {
    test(`works in ${contentType}`, async () => {
      const result = await run(program, [
        cluster.info.kubeconfig,
        contentType,
        contentType.endsWith("json") ? "json" : "protobuf",
      ]);
      assert.equal(result.code, 0, result.stdout + result.stderr);
      assert.match(result.stdout, /not found\nnodes 2\npod\nfollow\nlog one\nlog two\nlog three\nlog ended\nopenapi\n$/);
    });
  }
});
