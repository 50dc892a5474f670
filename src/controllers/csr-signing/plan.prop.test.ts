// Whatever is asked for: what is signed never lasts longer than allowed, never makes an authority, and is never for other names.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { namesOf } from "#base";
import { certificateRequest, decided } from "../testing/certificate-request.ts";
import { planSigning } from "./plan.ts";

const dayMs = 86_400_000;
const usages = fc.uniqueArray(
  fc.constantFrom("any", "cert sign", "client auth", "digital signature", "key encipherment", "server auth"),
);
const signer = fc.constantFrom("kube-apiserver-client", "kube-apiserver-client-kubelet", "kubelet-serving", "legacy-unknown");

test("a signed certificate keeps to its limits", () => {
  fc.assert(
    fc.property(
      signer,
      usages,
      fc.option(fc.integer({ min: 600, max: 2 ** 31 - 1 }), { nil: undefined }),
      fc.integer({ min: 1, max: 400 }),
      fc.integer({ min: 1, max: 400 }),
      fc.uniqueArray(fc.constantFrom("system:nodes", "system:masters"), { maxLength: 2 }),
      fc.boolean(),
      (name, asked, expirationSeconds, days, authorityDays, organizations, isNamed) => {
        const names = namesOf(isNamed ? ["n1", "10.0.0.1"] : []);
        const request = certificateRequest({
          signerName: `kubernetes.io/${name}`,
          usages: asked,
          subject: { commonName: "system:node:n1", organizations },
          names,
          status: decided("Approved"),
          ...(expirationSeconds === undefined ? {} : { expirationSeconds }),
        });
        const limits = { nowMs: dayMs, durationMs: days * dayMs, authorityEndsMs: (authorityDays + 1) * dayMs };
        const plan = planSigning(request, limits);
        if (plan.do !== "sign") return;
        const { template } = plan;
        assert.equal(template.isAuthority, false);
        assert.ok(
          template.notAfterMs - limits.nowMs <= Math.min(days, authorityDays, (expirationSeconds ?? Infinity) / 86_400) * dayMs,
        );
        assert.ok(template.notAfterMs - template.notBeforeMs >= 600_000);
        assert.deepEqual([template.names, template.subject.organizations?.toSorted()], [names, organizations.toSorted()]);
        const isNode = name === "kube-apiserver-client-kubelet" || name === "kubelet-serving";
        if (isNode) assert.deepEqual([organizations, template.purposes.length], [["system:nodes"], 1]);
        if (name === "kube-apiserver-client") assert.deepEqual(template.purposes, ["clientAuth"]);
      },
    ),
    { numRuns: 200 },
  );
});
