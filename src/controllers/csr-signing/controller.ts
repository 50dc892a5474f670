// Signs approved certificate requests of the four signers of kubernetes.io with the cluster's authority.
import { certificateSigningRequests } from "#api";
import { readIssuer, writeCertificate } from "#base";
import { type Controller, rfc3339, watchFor } from "#client";
import type { ControllerContext } from "../context.ts";
import { planSigning } from "./plan.ts";

export function signingController(
  { client, clock, informers, options, random }: ControllerContext,
  authority: { readonly certificate: string; readonly key: string },
): Controller {
  const requests = informers.informer(certificateSigningRequests);
  const issuer = readIssuer(authority.certificate, authority.key);
  return {
    name: "certificatesigningrequest-signing-controller",
    sources: [watchFor(requests)],
    reconcile: async (name, signal) => {
      const request = requests.get(name);
      if (request === undefined) return;
      const nowMs = clock.now();
      const limits = { nowMs, durationMs: options.clusterSigningDurationMs, authorityEndsMs: issuer.notAfterMs };
      const plan = planSigning(request, limits);
      if (plan.do === "nothing") return;
      const write = (status: object): Promise<unknown> =>
        client.update(
          certificateSigningRequests,
          { ...request, status: { ...request.status, ...status } },
          { subresource: "status", signal },
        );
      if (plan.do === "sign") {
        if (plan.template.notAfterMs <= nowMs)
          throw new Error("error auto signing csr: the signer's own certificate has expired");
        const certificate = writeCertificate({ ...plan.template, serialNumber: random.bytes(16) }, issuer);
        await write({ certificate: Buffer.from(certificate).toString("base64") });
        return;
      }
      const failed = {
        type: "Failed",
        status: "True",
        reason: "SignerValidationFailure",
        message: plan.message,
        lastUpdateTime: rfc3339(nowMs),
      };
      await write({ conditions: [...(request.status?.conditions ?? []), failed] });
    },
  };
}
