// What lets new nodes in: a bootstrap token, and once in a cluster's life the roles and the public description that kubeadm makes for it.
import {
  type ApiObject,
  apiVersionOf,
  type BootstrapTokenField,
  bootstrapToken,
  clusterRoleBindings,
  configMaps,
  type ResourceType,
  roleBindings,
  roles,
  secrets,
} from "#api";
import type { Clock, Random } from "#base";
import { type Client, kubeconfigFor, rfc3339 } from "#client";

export interface BootstrapTokenOptions {
  /** How long the token lets nodes in. 0: for ever. */
  readonly ttlMs: number;
  readonly server: string;
  readonly caCertificate: string;
}

export interface BootstrapToken {
  /** "abcdef.0123456789abcdef" */
  readonly token: string;
  /** For a kubelet's --bootstrap-kubeconfig. */
  readonly kubeconfig: string;
}

const joining = "system:bootstrappers:kubeadm:default-node-token";
const certificateRole = (name: string): string => `system:certificates.k8s.io:certificatesigningrequests:${name}`;

/** Nodes with the token may ask for a certificate, have it without a person, and renew it. */
export async function createBootstrapToken(
  options: BootstrapTokenOptions,
  deps: { readonly client: Client; readonly clock: Clock; readonly random: Random },
): Promise<BootstrapToken> {
  const { client, clock, random } = deps;
  const { server, caCertificate, ttlMs } = options;
  const apply = <T extends ApiObject>(type: ResourceType<T>, object: T): Promise<unknown> =>
    client.apply(type, { apiVersion: apiVersionOf(type), kind: type.kind, ...object }, { fieldManager: "tiphys", force: true });
  const bind = (name: string, role: string, group: string): Promise<unknown> =>
    apply(clusterRoleBindings, {
      metadata: { name: `kubeadm:${name}` },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: role },
      subjects: [{ kind: "Group", apiGroup: "rbac.authorization.k8s.io", name: group }],
    });
  const namespace = "kube-public";
  const reader = "kubeadm:bootstrap-signer-clusterinfo";
  await Promise.all([
    bind("kubelet-bootstrap", "system:node-bootstrapper", joining),
    bind("node-autoapprove-bootstrap", certificateRole("nodeclient"), joining),
    bind("node-autoapprove-certificate-rotation", certificateRole("selfnodeclient"), "system:nodes"),
    apply(configMaps, {
      metadata: { namespace, name: "cluster-info" },
      data: { kubeconfig: kubeconfigFor({ server, caCertificate, cluster: "" }) },
    }),
    apply(roles, {
      metadata: { namespace, name: reader },
      rules: [{ apiGroups: [""], resources: ["configmaps"], resourceNames: ["cluster-info"], verbs: ["get"] }],
    }),
    apply(roleBindings, {
      metadata: { namespace, name: reader },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: reader },
      subjects: [{ kind: "User", apiGroup: "rbac.authorization.k8s.io", name: "system:anonymous" }],
    }),
  ]);
  const [id, secret] = [randomWord(random, 6), randomWord(random, 16)];
  await client.create(secrets, {
    metadata: { namespace: bootstrapToken.namespace, name: bootstrapToken.nameOf(id) },
    type: bootstrapToken.type,
    stringData: {
      "token-id": id,
      "token-secret": secret,
      "usage-bootstrap-authentication": "true",
      "usage-bootstrap-signing": "true",
      "auth-extra-groups": joining,
      ...(ttlMs === 0 ? {} : { expiration: rfc3339(clock.now() + ttlMs) }),
    } satisfies Partial<Record<BootstrapTokenField, string>>,
  });
  const token = `${id}.${secret}`;
  return {
    token,
    kubeconfig: kubeconfigFor({ server, caCertificate, credentials: { token }, user: "tls-bootstrap-token-user" }),
  };
}

const letters = "abcdefghijklmnopqrstuvwxyz0123456789";

function randomWord(random: Random, length: number): string {
  let word = "";
  // octets beyond a multiple of 36 would favour the first letters
  while (word.length < length) for (const octet of random.bytes(32)) if (octet < 252) word += letters[octet % 36];
  return word.slice(0, length);
}
