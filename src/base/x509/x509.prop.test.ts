// Whatever bytes arrive: a request that is read, or a clear refusal; and what is written is read again.
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import * as fc from "fast-check";
import { DerError, element, elementsOf, readElement, unsignedInteger } from "./der.ts";
import { readName, writeName } from "./name.ts";
import { readPem, writePem } from "./pem.ts";
import { readRequest, writeRequest } from "./request.ts";

const bytes = fc.uint8Array({ maxLength: 400 }).map((array) => Buffer.from(array));

test("any bytes are an element or a DerError", () => {
  fc.assert(
    fc.property(bytes, (input) => {
      try {
        assert.ok(elementsOf(input).length >= 0);
      } catch (error) {
        assert.ok(error instanceof DerError);
      }
    }),
  );
});

test("a request with some bytes changed, or cut off, is read or refused, never worse", () => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const good = readPem(writeRequest(privateKey, { commonName: "bob", organizations: ["dev"] }))[0]?.bytes ?? Buffer.alloc(0);
  const changes = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(changes, fc.option(fc.nat(good.length - 1), { nil: good.length, freq: 4 }), (list, length) => {
      const changed = Buffer.from(good.subarray(0, length));
      for (const [at, octet] of list) if (at < length) changed[at] = octet;
      try {
        const read = readRequest(changed);
        assert.ok(!read.isSigned() || changed.equals(good) || read.publicKey.length > 0);
      } catch (error) {
        assert.ok(error instanceof DerError, String(error));
      }
    }),
    { numRuns: 300 },
  );
});

test("what is written is read: contents, numbers, names, PEM", () => {
  fc.assert(
    fc.property(bytes, (content) => {
      const { tag, content: found } = readElement(element(4, content));
      assert.deepEqual([tag, found], [4, content]);
      assert.deepEqual(readPem(writePem("A THING", content)), [{ label: "A THING", hasHeaders: false, bytes: content }]);
    }),
  );
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 160n }), (value) => {
      const hex = value.toString(16);
      const { content } = readElement(unsignedInteger(Buffer.from(hex.padStart(hex.length + (hex.length % 2), "0"), "hex")));
      assert.ok((content[0] as number) < 0x80);
      assert.equal(BigInt(`0x${content.toString("hex")}`), value);
    }),
  );
  const words = fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(words, fc.uniqueArray(words, { maxLength: 4 }), (commonName, organizations) => {
      const found = readName(writeName({ commonName, organizations }));
      assert.equal(found.commonName, commonName);
      assert.deepEqual([...(found.organizations ?? [])].sort(), [...organizations].sort());
    }),
  );
});
