// The lease by which a node shows that it lives: in kube-node-lease, renewed every ten seconds.
import { isAlreadyExists, isConflict, isNotFound, type Lease, leases, type Node, type Stored } from "#api";
import { type Client, rfc3339Micro } from "#client";

export const leaseNamespace = "kube-node-lease";
const leaseSeconds = 40;

export const nodeLease = (nodeName: string, node: Node, now: number): Lease => ({
  apiVersion: "coordination.k8s.io/v1",
  kind: "Lease",
  metadata: {
    name: nodeName,
    namespace: leaseNamespace,
    ownerReferences: [{ apiVersion: "v1", kind: "Node", name: nodeName, uid: node.metadata.uid ?? "" }],
  },
  spec: { holderIdentity: nodeName, leaseDurationSeconds: leaseSeconds, renewTime: rfc3339Micro(now) },
});

/** Writes `wanted` over what was written last (`known`), or over whatever is there by now: also nothing, if somebody deleted it. */
export async function renewLease(
  client: Client,
  wanted: Lease,
  known: Stored<Lease> | undefined,
  signal?: AbortSignal,
): Promise<Stored<Lease>> {
  const options = signal === undefined ? {} : { signal };
  const write = (over: Stored<Lease> | undefined): Promise<Stored<Lease>> =>
    over === undefined ? client.create(leases, wanted, options) : client.update(leases, { ...over, spec: wanted.spec }, options);
  try {
    return await write(known);
  } catch (error) {
    if (!isAlreadyExists(error) && !isConflict(error) && !isNotFound(error)) throw error;
  }
  return write(await find(client, wanted.metadata.name ?? "", options));
}

async function find(
  client: Client,
  name: string,
  options: { readonly signal?: AbortSignal },
): Promise<Stored<Lease> | undefined> {
  try {
    return await client.get(leases, { namespace: leaseNamespace, name }, options);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
