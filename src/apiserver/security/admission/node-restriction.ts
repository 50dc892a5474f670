// NodeRestriction: a kubelet writes only its own Node, its own pods' status, mirror pods, leases, tokens for its pods.
import {
  type ApiError,
  type ApiObject,
  type CertificateSigningRequest,
  certificateSigningRequests,
  csiNodes,
  type Lease,
  leases,
  type Node,
  nodes,
  notFound,
  type PersistentVolumeClaim,
  type Pod,
  persistentVolumeClaims,
  pods,
  type ResourceSlice,
  resourceSlices,
  type Stored,
  semanticEqual,
  serviceAccounts,
} from "#api";
import { readRequestPem } from "#base";
import type { AdmissionContext, AdmissionPlugin } from "../../contract.ts";
import { nodeNameOf } from "../authorization/node.ts";
import type { AdmissionDeps } from "./plugins.ts";
import { mirrorAnnotation, refuse } from "./support.ts";

const quote = (text: string): string => JSON.stringify(text);

export function nodeRestriction({ reader }: AdmissionDeps): AdmissionPlugin {
  const podOf = (context: AdmissionContext): Stored<Pod> => {
    const found = reader.get<Pod>(pods, { namespace: context.namespace, name: context.name });
    if (found === undefined) throw notFound(pods, context.name);
    return found;
  };

  const checkPod = (node: string, object: ApiObject | undefined, context: AdmissionContext): void => {
    if (context.operation === "CREATE") {
      checkMirrorPod(node, object as Pod, context); // the resource's objects
      return;
    }
    const own = context.old as Stored<Pod> | undefined; // likewise
    if (context.operation === "DELETE") {
      const pod = own ?? podOf(context);
      if (pod.spec?.nodeName !== node)
        throw refuse(context, pod, `node ${quote(node)} can only delete pods with spec.nodeName set to itself`);
      return;
    }
    throw refuse(
      context,
      object,
      `unexpected operation ${quote(context.operation)}, node ${quote(node)} can only create and delete mirror pods`,
    );
  };

  const checkMirrorPod = (node: string, pod: Pod, context: AdmissionContext): void => {
    const no = (why: string): ApiError => refuse(context, pod, why);
    if (pod.metadata.annotations?.[mirrorAnnotation] === undefined) {
      throw no(`pod does not have ${quote(mirrorAnnotation)} annotation, node ${quote(node)} can only create mirror pods`);
    }
    if (pod.spec?.nodeName !== node) throw no(`node ${quote(node)} can only create pods with spec.nodeName set to itself`);
    const owners = pod.metadata.ownerReferences ?? [];
    if (owners.length > 1) throw no(`node ${quote(node)} can only create pods with a single owner reference set to itself`);
    if (owners.length === 0) throw no(`node ${quote(node)} can only create pods with an owner reference set to itself`);
    const [owner] = owners;
    if (owner?.apiVersion !== "v1" || owner.kind !== "Node" || owner.name !== node) {
      throw no(`node ${quote(node)} can only create pods with an owner reference set to itself`);
    }
    if (owner.controller !== true)
      throw no(`node ${quote(node)} can only create pods with a controller owner reference set to itself`);
    if (owner.blockOwnerDeletion === true) throw no(`node ${quote(node)} must not set blockOwnerDeletion on an owner reference`);
    const uid = reader.get<Node>(nodes, { name: node })?.metadata.uid;
    if (uid === undefined) throw no(`error looking up node ${quote(node)}: node not found`);
    if (owner.uid !== uid) throw no(`node ${quote(node)} UID mismatch: expected ${quote(owner.uid)} got ${quote(uid)}`);
    const spec = pod.spec;
    if ((spec.serviceAccountName ?? "") !== "")
      throw no(`node ${quote(node)} can not create pods that reference a service account`);
    for (const volume of spec.volumes ?? []) {
      const sources = volume.projected?.sources ?? [];
      const refersTo =
        volume.secret !== undefined || sources.some((source) => source.secret !== undefined)
          ? "secrets"
          : volume.configMap !== undefined || sources.some((source) => source.configMap !== undefined)
            ? "configmaps"
            : volume.persistentVolumeClaim !== undefined
              ? "persistentvolumeclaims"
              : undefined;
      if (refersTo !== undefined) throw no(`node ${quote(node)} can not create pods that reference ${refersTo}`);
    }
    if ((spec.resourceClaims ?? []).length > 0) throw no(`node ${quote(node)} can not create pods that reference resourceclaims`);
  };

  const checkPodStatus = (node: string, object: ApiObject | undefined, context: AdmissionContext): void => {
    const [now, old] = [object as Pod | undefined, context.old as Stored<Pod> | undefined]; // the resource's objects
    if (context.operation !== "UPDATE" || old === undefined)
      throw refuse(context, object, `unexpected operation ${quote(context.operation)}`);
    if (old.spec?.nodeName !== node) {
      throw refuse(context, object, `node ${quote(node)} can only update pod status for pods with spec.nodeName set to itself`);
    }
    if (!semanticEqual(now?.metadata.labels ?? {}, old.metadata.labels ?? {})) {
      throw refuse(context, object, `node ${quote(node)} cannot update labels through pod status`);
    }
    if (!semanticEqual(now?.status?.resourceClaimStatuses ?? [], old.status?.resourceClaimStatuses ?? [])) {
      throw refuse(context, object, `node ${quote(node)} cannot update resource claim statuses`);
    }
  };

  const checkEviction = (node: string, object: ApiObject | undefined, context: AdmissionContext): void => {
    if (podOf(context).spec?.nodeName !== node)
      throw refuse(context, object, `node ${quote(node)} can only evict pods with spec.nodeName set to itself`);
  };

  const checkToken = (node: string, object: ApiObject | undefined, context: AdmissionContext): void => {
    if (context.operation !== "CREATE") return;
    const ref = (object as { spec?: { boundObjectRef?: { kind?: string; name?: string; uid?: string } | null } } | undefined)
      ?.spec?.boundObjectRef; // a TokenRequest
    if (ref?.kind !== "Pod" || (ref.name ?? "") === "") throw refuse(context, object, "node requested token not bound to a pod");
    if ((ref.uid ?? "") === "") throw refuse(context, object, "node requested token with a pod binding without a uid");
    const pod = reader.get<Pod>(pods, { namespace: context.namespace, name: ref.name ?? "" });
    if (pod === undefined) throw notFound(pods, ref.name ?? "");
    if (pod.metadata.uid !== ref.uid) {
      throw refuse(
        context,
        object,
        `the UID in the bound object reference (${ref.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
      );
    }
    if (pod.spec?.nodeName !== node)
      throw refuse(context, object, "node requested token bound to a pod scheduled on a different node");
  };

  // By group, resource and subresource; the objects are of the resource's type.
  const checks: Readonly<Record<string, (node: string, object: ApiObject | undefined, context: AdmissionContext) => void>> = {
    [`/${pods.plural}/`]: checkPod,
    [`/${pods.plural}/status`]: checkPodStatus,
    [`/${pods.plural}/eviction`]: checkEviction,
    [`/${nodes.plural}/`]: (node, object, context) => checkNode(node, object as Node | undefined, context),
    [`/${nodes.plural}/status`]: (node, object, context) => checkNode(node, object as Node | undefined, context),
    [`/${persistentVolumeClaims.plural}/status`]: (node, object, context) =>
      checkClaimStatus(node, object as PersistentVolumeClaim, context),
    [`/${serviceAccounts.plural}/token`]: checkToken,
    [`${leases.group}/${leases.plural}/`]: (node, object, context) => checkLease(node, object as Lease | undefined, context),
    [`${csiNodes.group}/${csiNodes.plural}/`]: (node, object, context) => checkNamedAfterNode(node, "CSINode", object, context),
    [`${resourceSlices.group}/${resourceSlices.plural}/`]: (node, object, context) =>
      checkSlice(node, object as ResourceSlice | undefined, context),
    [`${certificateSigningRequests.group}/${certificateSigningRequests.plural}/`]: (node, object, context) =>
      checkCertificateRequest(node, object as CertificateSigningRequest, context),
  };

  const check = (object: ApiObject | undefined, context: AdmissionContext): void => {
    const node = nodeNameOf(context.user);
    if (node === undefined) return;
    if (node === "") throw refuse(context, object, `could not determine node from user ${quote(context.user.name)}`);
    checks[`${context.type.group}/${context.type.plural}/${context.subresource}`]?.(node, object, context);
  };

  return {
    name: "NodeRestriction",
    mutate: (object, context) => {
      if (context.operation !== "DELETE") check(object, context);
      return object;
    },
    validate: (object, context) => {
      if (context.operation === "DELETE") check(object, context);
    },
  };
}

function checkNode(node: string, object: Node | undefined, context: AdmissionContext): void {
  const no = (why: string): ApiError => refuse(context, object, why);
  const name = context.name === "" ? (object?.metadata.name ?? "") : context.name;
  if (name !== node) throw no(`node ${quote(node)} is not allowed to modify node ${quote(name)}`);
  if (context.operation === "CREATE" && object !== undefined) {
    if (object.spec?.configSource !== undefined && object.spec.configSource !== null)
      throw no(`node ${quote(node)} is not allowed to create pods with a non-nil configSource`);
    const forbidden = forbiddenLabels(Object.keys(object.metadata.labels ?? {}));
    if (forbidden.length > 0) throw no(`node ${quote(node)} is not allowed to set the following labels: ${forbidden.join(", ")}`);
    if ((object.metadata.ownerReferences ?? []).length > 0) throw no(`node ${quote(node)} is not allowed to set ownerReferences`);
    return;
  }
  if (context.operation !== "UPDATE" || object === undefined) return;
  const old = context.old as Stored<Node>; // the resource's objects
  if (!semanticEqual(object.spec?.configSource, old.spec?.configSource)) {
    throw no(`node ${quote(node)} is not allowed to update configSource to a new non-nil configSource`);
  }
  if (!semanticEqual(object.spec?.taints ?? [], old.spec?.taints ?? []))
    throw no(`node ${quote(node)} is not allowed to modify taints`);
  const [labels, before] = [object.metadata.labels ?? {}, old.metadata.labels ?? {}];
  const changed = [...new Set([...Object.keys(labels), ...Object.keys(before)])].filter((key) => labels[key] !== before[key]);
  const forbidden = forbiddenLabels(changed);
  if (forbidden.length > 0) throw no(`is not allowed to modify labels: ${forbidden.join(", ")}`);
  if (!semanticEqual(object.metadata.ownerReferences ?? [], old.metadata.ownerReferences ?? [])) {
    throw no(`node ${quote(node)} is not allowed to modify ownerReferences`);
  }
}

// Labels of kubernetes.io and k8s.io that kubelets may set on their own node (KEP-279).
const ownLabels = new Set([
  "kubernetes.io/hostname",
  "kubernetes.io/instance-type",
  "kubernetes.io/os",
  "kubernetes.io/arch",
  "beta.kubernetes.io/instance-type",
  "beta.kubernetes.io/os",
  "beta.kubernetes.io/arch",
  "failure-domain.beta.kubernetes.io/zone",
  "failure-domain.beta.kubernetes.io/region",
  "topology.kubernetes.io/zone",
  "topology.kubernetes.io/region",
  "node.kubernetes.io/instance-type",
]);

const isUnder = (prefix: string, domain: string): boolean => prefix === domain || prefix.endsWith(`.${domain}`);

function forbiddenLabels(keys: readonly string[]): readonly string[] {
  return keys
    .filter((key) => {
      const slash = key.indexOf("/");
      if (slash < 0) return false;
      const prefix = key.slice(0, slash);
      if (isUnder(prefix, "node-restriction.kubernetes.io")) return true;
      if (isUnder(prefix, "kubelet.kubernetes.io") || isUnder(prefix, "node.kubernetes.io")) return false;
      return (isUnder(prefix, "kubernetes.io") || isUnder(prefix, "k8s.io")) && !ownLabels.has(key);
    })
    .sort();
}

/** A kubelet reports what became of a resize, and nothing else. */
function checkClaimStatus(node: string, claim: PersistentVolumeClaim, context: AdmissionContext): void {
  if (context.operation !== "UPDATE") throw refuse(context, claim, `unexpected operation ${quote(context.operation)}`);
  const old = context.old as Stored<PersistentVolumeClaim>; // the resource's objects
  const rest = ({ status, metadata, ...others }: PersistentVolumeClaim): unknown => {
    const { managedFields: _managed, resourceVersion: _version, ...meta } = metadata;
    const {
      capacity: _capacity,
      conditions: _conditions,
      allocatedResources: _allocated,
      allocatedResourceStatuses: _states,
      ...kept
    } = status ?? {};
    return { ...others, metadata: meta, status: kept };
  };
  if (!semanticEqual(rest(claim), rest(old))) {
    throw refuse(
      context,
      claim,
      `node ${quote(node)} is not allowed to update fields other than status.quantity and status.conditions`,
    );
  }
}

function checkLease(node: string, object: Lease | undefined, context: AdmissionContext): void {
  if (context.namespace !== "kube-node-lease") {
    throw refuse(context, object, `can only access leases in the "kube-node-lease" system namespace`);
  }
  checkNamedAfterNode(node, "leases", object, context);
}

function checkNamedAfterNode(node: string, what: string, object: ApiObject | undefined, context: AdmissionContext): void {
  const name = context.operation === "CREATE" ? (object?.metadata.name ?? "") : context.name;
  if (name !== node) throw refuse(context, object, `can only access ${what} with the same name as the requesting node`);
}

function checkSlice(node: string, object: ResourceSlice | undefined, context: AdmissionContext): void {
  const slice = context.operation === "CREATE" ? object : (context.old as Stored<ResourceSlice> | undefined); // the resource's objects
  if (slice !== undefined && slice.spec.nodeName !== node) {
    throw refuse(
      context,
      slice,
      `can only ${context.operation.toLowerCase()} ResourceSlices with the same NodeName as the requesting node`,
    );
  }
}

const kubeletSigners: readonly string[] = ["kubernetes.io/kube-apiserver-client-kubelet", "kubernetes.io/kubelet-serving"];

/** A node asks for certificates of nodes in its own name only. */
function checkCertificateRequest(node: string, request: CertificateSigningRequest, context: AdmissionContext): void {
  if (context.operation !== "CREATE" || !kubeletSigners.includes(request.spec.signerName)) return;
  let commonName: string;
  try {
    commonName = readRequestPem(Buffer.from(request.spec.request, "base64").toString("latin1")).subject.commonName ?? "";
  } catch (error) {
    throw refuse(context, request, `unable to parse csr: ${(error as Error).message}`);
  }
  const own = `system:node:${node}`;
  if (commonName.startsWith("system:node:") && commonName !== own)
    throw refuse(context, request, `can only create a node CSR with CN=${own}`);
}
