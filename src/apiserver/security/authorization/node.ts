// The Node authorizer: a kubelet reads only what the pods bound to its node refer to. Graph of node -> pods -> secrets, config maps, claims, ...
import {
  type ApiObject,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type Pod,
  persistentVolumeClaims,
  persistentVolumes,
  pods as podType,
  type Stored,
  volumeAttachments,
} from "#api";
import type { UserInfo } from "#client";
import type { Authorizer, Decision, ObjectReader, RequestInfo } from "../../contract.ts";

const yes: Decision = { allowed: true, reason: "" };
const pass: Decision = { allowed: false, reason: "" };
const no = (reason: string): Decision => ({ allowed: false, reason });

/** The node's name of a kubelet's user, or undefined when the user is no kubelet. */
export function nodeNameOf(user: UserInfo): string | undefined {
  const prefix = "system:node:";
  if (!user.name.startsWith(prefix) || !user.groups.includes("system:nodes")) return undefined;
  return user.name.slice(prefix.length);
}

type Kind = "secrets" | "configmaps" | "persistentvolumeclaims" | "serviceaccounts" | "resourceclaims";

interface PodReferences {
  readonly nodeName: string;
  /** "secrets\0namespace/name" */
  readonly keys: readonly string[];
}

export class NodeAuthorizer implements Authorizer, Disposable {
  readonly #reader: ObjectReader;
  readonly #subscription: Disposable;
  readonly #pods = new Map<string, PodReferences>();
  /** node -> what its pods refer to -> how many pods do. */
  readonly #nodes = new Map<string, Map<string, number>>();

  constructor(reader: ObjectReader) {
    this.#reader = reader;
    for (const pod of reader.list(podType)) this.#set(pod);
    this.#subscription = reader.onChange(podType, (object, event) => {
      const pod = object as Stored<Pod>; // the type asked for
      if (event === "DELETED") this.#drop(key(pod));
      else this.#set(pod);
    });
  }

  authorize(user: UserInfo, request: RequestInfo): Decision {
    const node = nodeNameOf(user);
    if (node === undefined) return pass;
    if (!request.isResource) return pass;
    if (node === "") return no(`unknown node for user ${JSON.stringify(user.name)}`);
    switch (`${request.group}/${request.resource}`) {
      case "/secrets":
      case "/configmaps":
        return this.#readReferenced(node, request, request.resource as Kind); // one of the two cases
      case "/persistentvolumeclaims":
        return request.subresource === "status"
          ? this.#statusOfClaim(node, request)
          : this.#readReferenced(node, request, "persistentvolumeclaims");
      case "resource.k8s.io/resourceclaims":
        return this.#readReferenced(node, request, "resourceclaims");
      case "/persistentvolumes":
        return this.#readVolume(node, request);
      case "storage.k8s.io/volumeattachments":
        return this.#readAttachment(node, request);
      case "/serviceaccounts":
        return request.subresource === "token" ? this.#createToken(node, request) : pass;
      case "coordination.k8s.io/leases":
        return ownObject(node, request, "kube-node-lease", ["get", "create", "update", "patch", "delete"]);
      case "storage.k8s.io/csinodes":
        return ownObject(node, request, "", ["get", "create", "update", "patch", "delete"]);
      case "resource.k8s.io/resourceslices":
        return nodeRules(request);
      case "/nodes":
        return this.#nodeObject(node, request);
      case "/pods":
        return this.#podObject(node, request);
      default:
        return nodeRules(request);
    }
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
  }

  #readReferenced(node: string, request: RequestInfo, kind: Kind): Decision {
    if (!["get", "list", "watch"].includes(request.verb)) return no("can only read resources of this type");
    if (request.subresource !== "") return no("cannot read subresource");
    if (request.name === "") return no("No Object name found");
    return this.#isReferenced(node, kind, request.namespace, request.name)
      ? yes
      : no(`no relationship found between node '${node}' and this object`);
  }

  #isReferenced(node: string, kind: Kind, namespace: string, name: string): boolean {
    return (this.#nodes.get(node)?.get(`${kind}\0${namespace}/${name}`) ?? 0) > 0;
  }

  #statusOfClaim(node: string, request: RequestInfo): Decision {
    if (!["get", "update", "patch"].includes(request.verb)) return no("can only get/update/patch this type of resource");
    return this.#isReferenced(node, "persistentvolumeclaims", request.namespace, request.name)
      ? yes
      : no(`no relationship found between node '${node}' and this object`);
  }

  #readVolume(node: string, request: RequestInfo): Decision {
    if (request.verb !== "get") return no("can only get individual resources of this type");
    if (request.subresource !== "") return no("cannot get subresource");
    const volume = this.#reader.get<PersistentVolume>(persistentVolumes, { name: request.name });
    const claim = volume?.spec?.claimRef;
    const related =
      claim?.name !== undefined &&
      claim.namespace !== undefined &&
      this.#isReferenced(node, "persistentvolumeclaims", claim.namespace, claim.name);
    return related ? yes : no(`no relationship found between node '${node}' and this object`);
  }

  #readAttachment(node: string, request: RequestInfo): Decision {
    if (request.verb !== "get") return no("can only get individual resources of this type");
    const attachment = this.#reader.get(volumeAttachments, { name: request.name });
    return attachment?.spec.nodeName === node ? yes : no(`no relationship found between node '${node}' and this object`);
  }

  #createToken(node: string, request: RequestInfo): Decision {
    if (request.verb !== "create") return no("can only create tokens for individual service accounts");
    if (request.name === "") return no("no service account name found");
    return this.#isReferenced(node, "serviceaccounts", request.namespace, request.name)
      ? yes
      : no(`no relationship found between node '${node}' and this object`);
  }

  #nodeObject(node: string, request: RequestInfo): Decision {
    if (request.subresource !== "" && request.subresource !== "status") return no(`nodes/${request.subresource} is not allowed`);
    switch (request.verb) {
      case "create":
        return yes; // NodeRestriction looks at the name
      case "get":
      case "list":
      case "watch":
        // KEP-4601: only its own node object.
        return request.name === node ? yes : no(`node '${node}' cannot read '${request.name}', only its own Node object`);
      case "update":
      case "patch":
        return request.name === node ? yes : no(`node '${node}' is not allowed to modify node '${request.name}'`);
      default:
        return no(`node '${node}' cannot ${request.verb} nodes`);
    }
  }

  #podObject(node: string, request: RequestInfo): Decision {
    switch (request.subresource) {
      case "":
        if (request.verb === "create" || request.verb === "delete") return yes; // NodeRestriction allows mirror pods and its own only
        if (request.verb === "list" || request.verb === "watch") return yes; // kubelets list with spec.nodeName=<own>; selectors are not part of RequestInfo
        if (request.verb === "get")
          return this.#isOwnPod(node, request) ? yes : no(`no relationship found between node '${node}' and this object`);
        return no(`can only get, list, watch, create and delete pods`);
      case "status":
        return request.verb === "update" || request.verb === "patch" ? yes : pass;
      case "eviction":
        return request.verb === "create" ? yes : pass;
      default:
        return pass;
    }
  }

  #isOwnPod(node: string, request: RequestInfo): boolean {
    return this.#reader.get(podType, { namespace: request.namespace, name: request.name })?.spec?.nodeName === node;
  }

  #set(pod: Stored<Pod>): void {
    const id = key(pod);
    const nodeName = pod.spec?.nodeName ?? "";
    const known = this.#pods.get(id);
    // A pod's references do not change once it is bound, except for claims that its status names.
    if (nodeName === "") {
      if (known !== undefined) this.#drop(id);
      return;
    }
    const keys = referencesOf(pod, this.#reader);
    if (known !== undefined) {
      if (
        known.nodeName === nodeName &&
        known.keys.length === keys.length &&
        known.keys.every((each, index) => each === keys[index])
      )
        return;
      this.#drop(id);
    }
    this.#pods.set(id, { nodeName, keys });
    let counts = this.#nodes.get(nodeName);
    if (counts === undefined) {
      counts = new Map();
      this.#nodes.set(nodeName, counts);
    }
    for (const each of keys) counts.set(each, (counts.get(each) ?? 0) + 1);
  }

  #drop(id: string): void {
    const known = this.#pods.get(id);
    if (known === undefined) return;
    this.#pods.delete(id);
    const counts = this.#nodes.get(known.nodeName);
    if (counts === undefined) return;
    for (const each of known.keys) {
      const left = (counts.get(each) ?? 1) - 1;
      if (left === 0) counts.delete(each);
      else counts.set(each, left);
    }
    if (counts.size === 0) this.#nodes.delete(known.nodeName);
  }
}

const key = (object: ApiObject): string => `${object.metadata.namespace ?? ""}/${object.metadata.name ?? ""}`;

/** What a pod lets its node read: "kind\0namespace/name", each once. */
function referencesOf(pod: Stored<Pod>, reader: ObjectReader): readonly string[] {
  const namespace = pod.metadata.namespace ?? "";
  const found = new Set<string>();
  const add = (kind: Kind, name: string | undefined): void => {
    if (name !== undefined && name !== "") found.add(`${kind}\0${namespace}/${name}`);
  };
  const spec = pod.spec;
  if (spec === undefined) return [];
  add("serviceaccounts", spec.serviceAccountName);
  for (const secret of spec.imagePullSecrets ?? []) add("secrets", secret.name);
  for (const container of [...(spec.initContainers ?? []), ...spec.containers, ...(spec.ephemeralContainers ?? [])]) {
    for (const variable of container.env ?? []) {
      add("secrets", variable.valueFrom?.secretKeyRef?.name);
      add("configmaps", variable.valueFrom?.configMapKeyRef?.name);
    }
    for (const source of container.envFrom ?? []) {
      add("secrets", source.secretRef?.name);
      add("configmaps", source.configMapRef?.name);
    }
  }
  for (const volume of spec.volumes ?? []) {
    add("secrets", volume.secret?.secretName);
    add("configmaps", volume.configMap?.name);
    for (const source of volume.projected?.sources ?? []) {
      add("secrets", source.secret?.name);
      add("configmaps", source.configMap?.name);
    }
    const claims = [
      ...(volume.persistentVolumeClaim === undefined ? [] : [volume.persistentVolumeClaim.claimName]),
      ...(volume.ephemeral === undefined ? [] : [`${pod.metadata.name}-${volume.name}`]),
    ];
    for (const claim of claims) {
      add("persistentvolumeclaims", claim);
      for (const secret of volumeSecrets(reader, namespace, claim)) found.add(`secrets\0${secret}`);
    }
    for (const secret of [
      volume.cephfs,
      volume.rbd,
      volume.flexVolume,
      volume.scaleIO,
      volume.storageos,
      volume.iscsi,
      volume.csi,
    ]) {
      const source = secret as { secretRef?: { name?: string }; nodePublishSecretRef?: { name?: string } } | undefined;
      add("secrets", source?.secretRef?.name);
      add("secrets", source?.nodePublishSecretRef?.name);
    }
    add("secrets", volume.azureFile?.secretName);
  }
  for (const claim of spec.resourceClaims ?? []) add("resourceclaims", claim.resourceClaimName);
  for (const claim of pod.status?.resourceClaimStatuses ?? []) add("resourceclaims", claim.resourceClaimName);
  return [...found];
}

/** Secrets ("namespace/name") that the volume bound to a claim needs on the node. */
function volumeSecrets(reader: ObjectReader, namespace: string, claimName: string): readonly string[] {
  const claim = reader.get<PersistentVolumeClaim>(persistentVolumeClaims, { namespace, name: claimName });
  const volumeName = claim?.spec?.volumeName;
  if (volumeName === undefined || volumeName === "") return [];
  const csi = reader.get<PersistentVolume>(persistentVolumes, { name: volumeName })?.spec?.csi;
  const secrets = [csi?.nodePublishSecretRef, csi?.nodeStageSecretRef, csi?.nodeExpandSecretRef];
  return secrets.flatMap((secret) => (secret?.name === undefined ? [] : [`${secret.namespace ?? ""}/${secret.name}`]));
}

function ownObject(node: string, request: RequestInfo, namespace: string, verbs: readonly string[]): Decision {
  if (!verbs.includes(request.verb)) return no(`can only ${verbs.join(", ")} this type of resource`);
  if (request.subresource !== "") return no("cannot access subresource");
  if (namespace !== "" && request.namespace !== namespace)
    return no(`can only access leases in the "${namespace}" system namespace`);
  // The name of a create is in the body: NodeRestriction looks at it.
  if (request.verb !== "create" && request.name !== node)
    return no(`can only access ${request.resource} with the same name as the requesting node`);
  return yes;
}

interface NodeRule {
  readonly group: string;
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

/** What every kubelet may do whatever runs on it (the rules of the cluster role system:node that need no relationship). */
const rules: readonly NodeRule[] = [
  { group: "authentication.k8s.io", resources: ["tokenreviews"], verbs: ["create"] },
  { group: "authorization.k8s.io", resources: ["localsubjectaccessreviews", "subjectaccessreviews"], verbs: ["create"] },
  { group: "", resources: ["services"], verbs: ["get", "list", "watch"] },
  { group: "", resources: ["events"], verbs: ["create", "patch", "update"] },
  { group: "certificates.k8s.io", resources: ["certificatesigningrequests"], verbs: ["create", "get", "list", "watch"] },
  { group: "storage.k8s.io", resources: ["csidrivers"], verbs: ["get", "list", "watch"] },
  { group: "node.k8s.io", resources: ["runtimeclasses"], verbs: ["get", "list", "watch"] },
  {
    group: "resource.k8s.io",
    resources: ["resourceslices"],
    verbs: ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
  },
];

function nodeRules(request: RequestInfo): Decision {
  const resource = request.subresource === "" ? request.resource : `${request.resource}/${request.subresource}`;
  return rules.some(
    (rule) => rule.group === request.group && rule.resources.includes(resource) && rule.verbs.includes(request.verb),
  )
    ? yes
    : pass;
}
