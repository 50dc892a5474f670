// Who controls what: a controller adopts orphans that match its selector and releases what no longer matches (KEP-less, "controller ref" proposal).
import { type ApiObject, isNotFound, objectKey, type ResourceType, type Selector, type Stored, selectorMatches } from "#api";
import { type Client, controllerOf, controllerReference } from "#client";

export interface Claims<T extends ApiObject> {
  /** Controlled by the owner and matching. */
  readonly owned: readonly Stored<T>[];
  /** Without a controller, matching and alive. */
  readonly adopt: readonly Stored<T>[];
  /** Controlled by the owner, no longer matching. */
  readonly release: readonly Stored<T>[];
}

/** `candidates` are the objects controlled by the owner and the orphans of its namespace. A dying owner adopts and releases nothing. */
export function planClaims<T extends ApiObject>(
  owner: Stored<ApiObject>,
  selector: Selector,
  candidates: readonly Stored<T>[],
): Claims<T> {
  const owned: Stored<T>[] = [];
  const adopt: Stored<T>[] = [];
  const release: Stored<T>[] = [];
  const dying = owner.metadata.deletionTimestamp !== undefined;
  for (const candidate of candidates) {
    const controller = controllerOf(candidate);
    const matches = selectorMatches(selector, candidate.metadata.labels);
    if (controller !== undefined) {
      if (controller.uid !== owner.metadata.uid) continue;
      if (matches) owned.push(candidate);
      else if (!dying && candidate.metadata.deletionTimestamp === undefined) release.push(candidate);
    } else if (matches && !dying && candidate.metadata.deletionTimestamp === undefined) adopt.push(candidate);
  }
  return { owned, adopt, release };
}

/**
 * Carries the claims out and returns what the owner then controls. Before the first adoption the owner is read from the server:
 * an owner that was deleted and created again under the same name must not adopt with its old uid.
 */
export async function claim<O extends ApiObject, T extends ApiObject>(
  client: Client,
  ownerType: ResourceType<O>,
  owner: Stored<O>,
  type: ResourceType<T>,
  claims: Claims<T>,
): Promise<readonly Stored<T>[]> {
  const { owned, adopt, release } = claims;
  await Promise.all(release.map((object) => writeOwners(client, type, object, withoutOwner(object, owner.metadata.uid))));
  if (adopt.length === 0) return owned;
  const fresh = await client.get(ownerType, { namespace: owner.metadata.namespace, name: owner.metadata.name });
  if (fresh.metadata.uid !== owner.metadata.uid || fresh.metadata.deletionTimestamp !== undefined)
    throw new Error(`Cannot adopt for ${ownerType.kind} "${objectKey(owner)}": it was deleted in the meantime`);
  const reference = controllerReference(ownerType, owner);
  const adopted = await Promise.all(
    adopt.map((object) => writeOwners(client, type, object, [...(object.metadata.ownerReferences ?? []), reference])),
  );
  return [...owned, ...adopted.filter((object) => object !== undefined)];
}

const withoutOwner = (object: ApiObject, uid: string) =>
  (object.metadata.ownerReferences ?? []).filter((reference) => reference.uid !== uid);

async function writeOwners<T extends ApiObject>(
  client: Client,
  type: ResourceType<T>,
  object: Stored<T>,
  ownerReferences: ApiObject["metadata"]["ownerReferences"],
): Promise<Stored<T> | undefined> {
  const { namespace, name, uid, resourceVersion } = object.metadata;
  try {
    // uid and resourceVersion make it a compare-and-set: somebody else's adoption is not overwritten.
    const metadata = { uid, resourceVersion, ownerReferences: (ownerReferences ?? []).map((reference) => ({ ...reference })) };
    return await client.patch(type, { namespace, name }, { type: "merge", body: { metadata } });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
