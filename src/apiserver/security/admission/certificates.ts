// Certificate requests: who may approve and sign for a signer, and which subjects the API server's client signer refuses.
import { type ApiObject, type CertificateSigningRequest, certificateSigningRequests, type Stored, semanticEqual } from "#api";
import { readRequestPem } from "#base";
import type { AdmissionContext, AdmissionPlugin, Authorizer } from "../../contract.ts";
import type { AdmissionDeps } from "./plugins.ts";
import { isResource, isSubresource, refuse } from "./support.ts";

/** The caller needs the verb on the signer "domain/name", or on all of the domain: "domain/*". */
async function maySign(
  authorizer: Authorizer,
  context: AdmissionContext,
  verb: "approve" | "sign",
  signerName: string,
): Promise<boolean> {
  const [domain = ""] = signerName.split("/");
  for (const name of [signerName, `${domain}/*`]) {
    const decision = await authorizer.authorize(context.user, {
      verb,
      path: "",
      isResource: true,
      group: "certificates.k8s.io",
      version: "*",
      resource: "signers",
      subresource: "",
      namespace: "",
      name,
    });
    if (decision.allowed) return true;
  }
  return false;
}

export function certificateApproval({ authorizer }: AdmissionDeps): AdmissionPlugin {
  return {
    name: "CertificateApproval",
    validate: async (object, context) => {
      if (context.operation !== "UPDATE" || !isSubresource(context, certificateSigningRequests, "approval")) return;
      const { signerName } = (context.old as Stored<CertificateSigningRequest>).spec; // the resource's objects
      if (await maySign(authorizer, context, "approve", signerName)) return;
      throw refuse(context, object, `user not permitted to approve requests with signerName ${JSON.stringify(signerName)}`);
    },
  };
}

export function certificateSigning({ authorizer }: AdmissionDeps): AdmissionPlugin {
  return {
    name: "CertificateSigning",
    validate: async (object, context) => {
      if (context.operation !== "UPDATE" || !isSubresource(context, certificateSigningRequests, "status")) return;
      const [now, old] = [object as CertificateSigningRequest, context.old as Stored<CertificateSigningRequest>]; // the resource's objects
      const unchanged =
        now.status?.certificate === old.status?.certificate &&
        semanticEqual(now.status?.conditions ?? [], old.status?.conditions ?? []);
      if (unchanged || (await maySign(authorizer, context, "sign", old.spec.signerName))) return;
      throw refuse(context, object, `user not permitted to sign requests with signerName ${JSON.stringify(old.spec.signerName)}`);
    },
  };
}

const clientSigner = "kubernetes.io/kube-apiserver-client";

export const certificateSubjectRestriction: AdmissionPlugin = {
  name: "CertificateSubjectRestriction",
  validate: (object: ApiObject | undefined, context) => {
    if (context.operation !== "CREATE" || !isResource(context, certificateSigningRequests)) return;
    const request = object as CertificateSigningRequest; // the resource's objects
    if (request.spec.signerName !== clientSigner) return;
    if (organizationsOf(request.spec.request).includes("system:masters")) {
      throw refuse(context, object, `use of ${clientSigner} signer with system:masters group is not allowed`);
    }
  },
};

/** The O values of a base64 PEM request; none when it cannot be read (validation says so). */
function organizationsOf(request: string): readonly string[] {
  try {
    return readRequestPem(Buffer.from(request, "base64").toString("latin1")).subject.organizations ?? [];
  } catch {
    return [];
  }
}

/** The request carries who made it, whatever the client wrote there: signers decide by it. Not a plugin upstream (its strategy does it), so it cannot be disabled. */
export const certificateRequester: AdmissionPlugin = {
  name: "CertificateRequester",
  mutate: (object, context) => {
    if (context.operation !== "CREATE" || !isResource(context, certificateSigningRequests)) return object;
    const request = object as CertificateSigningRequest; // the resource's objects
    const { username: _name, uid: _uid, groups: _groups, extra: _extra, ...spec } = request.spec;
    const { name, uid, groups, extra } = context.user;
    const requester = {
      username: name,
      ...(uid === undefined || uid === "" ? {} : { uid }),
      ...(groups.length === 0 ? {} : { groups }),
      ...(extra === undefined ? {} : { extra }),
    };
    return { ...request, spec: { ...spec, ...requester } };
  },
};
