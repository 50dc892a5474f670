// ControllerRevisions: the remembered pod templates of DaemonSets and StatefulSets.
import {
  type ApiObject,
  apiVersionOf,
  type ControllerRevision,
  controllerRevisions,
  isAlreadyExists,
  isNotFound,
  type JsonObject,
  type PodTemplateSpec,
  type ResourceType,
  type Selector,
  type Stored,
  semanticEqual,
} from "#api";
import { type Client, controllerReference, type Informer } from "#client";
import { templateHash } from "../deployment/hash.ts";
import { claim, planClaims } from "./claim.ts";
import { indexOrphans } from "./orphans.ts";
import { OwnWrites } from "./own-writes.ts";
import { sortKeys } from "./sort-keys.ts";

export const revisionHashLabel = "controller-revision-hash";

export interface RevisionOwner<T extends ApiObject> {
  readonly type: ResourceType<T>;
  readonly object: Stored<T>;
  readonly template: PodTemplateSpec;
  readonly selector: Selector;
  readonly collisionCount: number;
  /** Of the owner's revision labels: "controller-revision-hash" for DaemonSets, "controller.kubernetes.io/hash" for StatefulSets. */
  readonly hashLabel: string;
}

/** What a revision stores: a patch that brings the template back. Clients compare it byte by byte with what Go makes of the template: fields by name. */
export const revisionData = (template: PodTemplateSpec): JsonObject =>
  JSON.parse(JSON.stringify({ spec: { template: { ...template, $patch: "replace" } } }, sortKeys)) as JsonObject;

export function templateOf(revision: ControllerRevision): PodTemplateSpec {
  const { $patch: _patch, ...template } = ((revision.data as { spec?: { template?: Record<string, unknown> } } | undefined)?.spec
    ?.template ?? {}) as Record<string, unknown>;
  return template as PodTemplateSpec; // written by revisionData
}

export const hashOf = (revision: ControllerRevision, hashLabel: string): string =>
  revision.metadata.labels?.[hashLabel] ?? revision.metadata.name ?? "";

export interface RevisionPlan {
  /** The one with the present template; without a stored state it is to be created. */
  readonly update: ControllerRevision;
  readonly kind: "use" | "create" | "renumber";
}

/** Finds the present template among the revisions, gives it the highest number, or makes a new one. Pure. */
export function planRevision<T extends ApiObject>(
  owner: RevisionOwner<T>,
  revisions: readonly Stored<ControllerRevision>[],
): RevisionPlan {
  const data = revisionData(owner.template);
  const highest = Math.max(0, ...revisions.map(({ revision }) => revision));
  const equal = [...revisions].sort((a, b) => a.revision - b.revision).findLast((revision) => semanticEqual(revision.data, data));
  if (equal !== undefined)
    return equal.revision === highest
      ? { kind: "use", update: equal }
      : { kind: "renumber", update: { ...equal, revision: highest + 1 } };
  const hash = templateHash(owner.template, owner.collisionCount);
  return {
    kind: "create",
    update: {
      apiVersion: apiVersionOf(controllerRevisions),
      kind: controllerRevisions.kind,
      metadata: {
        namespace: owner.object.metadata.namespace,
        name: `${owner.object.metadata.name}-${hash}`,
        labels: { ...owner.template.metadata?.labels, [owner.hashLabel]: hash },
        ownerReferences: [controllerReference(owner.type, owner.object)],
      },
      data,
      revision: highest + 1,
    },
  };
}

/** Revisions beyond the limit that no pod uses, oldest first. Pure. */
export function surplusRevisions(
  revisions: readonly Stored<ControllerRevision>[],
  live: ReadonlySet<string>,
  limit: number,
): readonly Stored<ControllerRevision>[] {
  const unused = revisions.filter(({ metadata }) => !live.has(metadata.name)).sort((a, b) => a.revision - b.revision);
  return unused.slice(0, Math.max(0, unused.length - limit));
}

/** Reads and writes the revisions of owners of one kind. */
export class Revisions {
  readonly #client: Client;
  readonly #informer: Informer<ControllerRevision>;
  readonly #writes: OwnWrites<ControllerRevision>;
  readonly #orphansOf: (namespace: string) => readonly Stored<ControllerRevision>[];

  constructor(client: Client, informer: Informer<ControllerRevision>) {
    this.#client = client;
    this.#informer = informer;
    this.#writes = new OwnWrites({ informer, client, type: controllerRevisions });
    this.#orphansOf = indexOrphans(informer);
  }

  settled(key: string, signal?: AbortSignal): Promise<void> {
    return this.#writes.settled(key, signal);
  }

  async of<T extends ApiObject>(key: string, owner: RevisionOwner<T>): Promise<readonly Stored<ControllerRevision>[]> {
    const { uid, namespace } = owner.object.metadata;
    const claims = planClaims(owner.object, owner.selector, [
      ...this.#informer.byIndex("owner", uid),
      ...this.#orphansOf(namespace ?? ""),
    ]);
    const owned = await claim(this.#client, owner.type, owner.object, controllerRevisions, { ...claims, release: [] });
    if (claims.adopt.length > 0) for (const revision of owned) this.#writes.wrote(key, revision);
    return this.#writes.living(key, owned).living;
  }

  /** Undefined: another object has the name, so the owner is to count one more collision. */
  async apply(key: string, plan: RevisionPlan, signal: AbortSignal): Promise<Stored<ControllerRevision> | undefined> {
    if (plan.kind === "use") return plan.update as Stored<ControllerRevision>; // found among the stored ones
    try {
      const written = await (plan.kind === "create"
        ? this.#client.create(controllerRevisions, plan.update, { signal })
        : this.#client.update(controllerRevisions, plan.update, { signal }));
      this.#writes.wrote(key, written);
      return written;
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      const { namespace, name = "" } = plan.update.metadata;
      const existing = await this.#client.get(controllerRevisions, { namespace, name }, { signal });
      this.#writes.wrote(key, existing);
      return semanticEqual(existing.data, plan.update.data) ? existing : undefined;
    }
  }

  async remove(key: string, revisions: readonly Stored<ControllerRevision>[], signal: AbortSignal): Promise<void> {
    for (const { metadata } of revisions) {
      this.#writes.deleted(key, metadata.uid);
      await this.#client
        .delete(controllerRevisions, metadata, { preconditions: { uid: metadata.uid }, signal })
        .catch((error: unknown) => {
          if (!isNotFound(error)) throw error;
        });
    }
  }
}
