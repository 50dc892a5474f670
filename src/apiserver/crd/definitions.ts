// Serves custom resources: follows CustomResourceDefinitions, accepts their names, adds and removes what they serve.
import {
  type ApiObject,
  builtInResources,
  customResourceDefinitions,
  deepEqual,
  parsePath,
  type ResourceType,
  type Stored,
  type SubresourceType,
  valuesAt,
} from "#api";
import type { Clock, Log } from "#base";
import { rfc3339 } from "#client";
import type { CacheHub } from "../cache/hub.ts";
import type { ResourceCache } from "../cache/resource-cache.ts";
import { storedForm } from "../cache/stored-bytes.ts";
import type { ObjectReader, ObjectWriter } from "../contract.ts";
import type { Catalogue } from "../registry/catalogue.ts";
import type { ServedResource } from "../registry/resource.ts";
import type { SelectableFields } from "../registry/selectable-fields.ts";
import { customKeyPrefix } from "../registry/storage-keys.ts";
import { customTable } from "./columns.ts";
import { cleanupFinalizer, type Definition } from "./definition-rules.ts";
import { type DefinitionNames, type DefinitionVersion, type Props, usesKeyword } from "./props.ts";
import { customStrategy } from "./strategy.ts";
import { prune, withDefaults } from "./values.ts";

const verbs = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];

interface CustomResourceDeps {
  readonly hub: CacheHub;
  readonly catalogue: Catalogue;
  readonly reader: ObjectReader;
  readonly writer: ObjectWriter;
  readonly clock: Clock;
  readonly log: Log;
  /** Deletes every object under a prefix of the store. */
  readonly removeAll: (prefix: string) => Promise<void>;
}

interface Serving {
  readonly spec: unknown;
  readonly names: DefinitionNames;
  readonly cache: ResourceCache;
  readonly resources: readonly ServedResource[];
}

interface NameConflict {
  readonly reason: string;
  readonly message: string;
}

export class CustomResources implements Disposable {
  readonly #deps: CustomResourceDeps;
  readonly #serving = new Map<string, Serving>();
  readonly #following: Disposable;
  #work: Promise<void> = Promise.resolve();

  constructor(deps: CustomResourceDeps) {
    this.#deps = deps;
    this.#following = deps.reader.onChange(customResourceDefinitions, (object, event) => {
      this.#queue(object.metadata.name, event === "DELETED");
    });
  }

  /** Takes up definitions that are stored already. */
  async start(): Promise<void> {
    for (const definition of this.#deps.reader.list(customResourceDefinitions)) this.#queue(definition.metadata.name, false);
    await this.#work;
  }

  [Symbol.dispose](): void {
    this.#following[Symbol.dispose]();
  }

  /** One definition after the other, in the order of their changes. */
  #queue(name: string, gone: boolean): void {
    this.#work = this.#work
      .then(() => this.#sync(name, gone))
      .catch((error: unknown) => {
        this.#deps.log.error("cannot serve a custom resource definition", {
          name,
          error: error instanceof Error ? (error.stack ?? error.message) : String(error),
        });
      });
  }

  async #sync(name: string, gone: boolean): Promise<void> {
    const definition = gone
      ? undefined
      : (this.#deps.reader.get(customResourceDefinitions, { name }) as (Definition & Stored<ApiObject>) | undefined);
    const serving = this.#serving.get(name);
    if (definition === undefined) {
      if (serving !== undefined) {
        this.#stop(name, serving);
        await this.#deps.removeAll(serving.cache.prefix);
      }
      return;
    }
    if (definition.metadata.deletionTimestamp !== undefined) return await this.#cleanUp(definition, serving);
    const { names, conflict } = this.#accept(definition);
    await this.#writeStatus(definition, names, conflict);
    const established =
      conflict === undefined ||
      (definition.status?.conditions ?? []).some((condition) => condition.type === "Established" && condition.status === "True");
    if (!established || (serving !== undefined && deepEqual(serving.spec, definition.spec))) return;
    await this.#serve(name, definition, serving);
  }

  /** A definition goes once its objects are gone. */
  async #cleanUp(definition: Definition & Stored<ApiObject>, serving: Serving | undefined): Promise<void> {
    const { name, finalizers = [] } = definition.metadata;
    if (!finalizers.includes(cleanupFinalizer)) return;
    if (serving !== undefined) this.#stop(name, serving);
    await this.#deps.removeAll(customKeyPrefix({ group: definition.spec.group, plural: definition.spec.names.plural }));
    if (finalizers.length === 1) return await this.#deps.writer.remove(customResourceDefinitions, { name });
    await this.#deps.writer.update(customResourceDefinitions, { name }, (current) => ({
      ...current,
      metadata: {
        ...current.metadata,
        finalizers: (current.metadata.finalizers ?? []).filter((finalizer) => finalizer !== cleanupFinalizer),
      },
    }));
  }

  #stop(name: string, serving: Serving): void {
    for (const resource of serving.resources) this.#deps.catalogue.remove(resource.type);
    this.#deps.hub.remove(serving.cache);
    this.#serving.delete(name);
  }

  /** Every version that is served, with its schema: for OpenAPI. */
  *versions(): Iterable<{ readonly type: ResourceType; readonly props: Props | undefined; readonly listKind: string }> {
    for (const { spec, names, resources } of this.#serving.values()) {
      for (const { type } of resources)
        yield {
          type,
          props: (spec as Definition["spec"]).versions.find((version) => version.name === type.version)?.schema?.openAPIV3Schema,
          listKind: names.listKind ?? `${names.kind}List`,
        };
    }
  }

  async #serve(name: string, definition: Definition, before: Serving | undefined): Promise<void> {
    const { hub, catalogue } = this.#deps;
    const { spec } = definition;
    const storage = spec.versions.find((version) => version.storage);
    if (storage === undefined) return;
    const fields = selectable(storage);
    if (before !== undefined) this.#stop(name, before);
    const storedType = typeOf(definition, storage);
    const cache = await hub.add({
      form: storedForm(storedType),
      prefix: customKeyPrefix(storedType),
      selectableFields: fields.of,
    });
    const resources: ServedResource[] = [];
    for (const version of spec.versions) {
      if (!version.served) continue;
      const type = typeOf(definition, version);
      const strategy = customStrategy(spec, version);
      const storedVersion = `${spec.group}/${storage.name}`;
      const servedVersion = `${spec.group}/${version.name}`;
      // Schemas may have changed since an object was stored: defaults are filled in when it is read, as upstream does.
      const props = version.schema?.openAPIV3Schema;
      const storedProps = storage.schema?.openAPIV3Schema;
      const plain =
        version.name === storage.name &&
        before === undefined &&
        cache.size === 0 &&
        !usesKeyword(props, (inner) => inner.default !== undefined);
      const convert = {
        // what the stored version does not know is not kept
        toStored: (object: ApiObject) => {
          const stored = { ...object, apiVersion: storedVersion };
          return version.name === storage.name ? stored : (prune(storedProps, stored, () => {}) as ApiObject);
        },
        toServed: (object: ApiObject) =>
          prune(props, { ...(withDefaults(storedProps, object) as ApiObject), apiVersion: servedVersion }, () => {}) as ApiObject,
      };
      const deprecation =
        version.deprecated === true
          ? (version.deprecationWarning ?? `${spec.group}/${version.name} ${spec.names.kind} is deprecated`)
          : undefined;
      resources.push({
        type,
        storedType,
        cache,
        strategy,
        fields: selectable(version),
        custom: true,
        table: customTable(version.additionalPrinterColumns),
        ...(version.subresources?.scale === undefined ? {} : { scale: version.subresources.scale }),
        ...(plain ? {} : { convert }),
        ...(deprecation === undefined ? {} : { deprecation }),
      });
    }
    for (const resource of resources) catalogue.add(resource);
    this.#serving.set(name, { spec, names: spec.names, cache, resources });
  }

  /** The names that are free, and the last conflict: each name is accepted on its own. */
  #accept(definition: Definition & Stored<ApiObject>): { readonly names: object; readonly conflict: NameConflict | undefined } {
    const { group, names } = definition.spec;
    const taken = new Set<string>();
    const kinds = new Set<string>();
    for (const type of builtInResources as readonly ResourceType[]) {
      if (type.group === group) for (const text of [type.plural, type.singular, ...type.shortNames]) taken.add(text);
    }
    for (const other of this.#deps.reader.list(customResourceDefinitions) as unknown as readonly (Definition &
      Stored<ApiObject>)[]) {
      if (other.metadata.name === definition.metadata.name || other.spec.group !== group) continue;
      const accepted = (other.status?.acceptedNames ?? {}) as Partial<DefinitionNames>;
      for (const text of [accepted.plural, accepted.singular, ...(accepted.shortNames ?? [])])
        if ((text ?? "") !== "") taken.add(text as string);
      for (const text of [accepted.kind, accepted.listKind]) if ((text ?? "") !== "") kinds.add(text as string);
    }
    const result: Record<string, unknown> = { plural: "", kind: "", ...(definition.status?.acceptedNames as object | undefined) };
    let conflict: NameConflict | undefined;
    const accept = (key: string, value: unknown, texts: readonly string[], used: ReadonlySet<string>, reason: string): void => {
      const bad = texts.find((text) => used.has(text));
      if (bad !== undefined) conflict = { reason, message: `${JSON.stringify(bad)} is already in use` };
      else if (value !== undefined) result[key] = value;
      else delete result[key];
    };
    accept("plural", names.plural, [names.plural], taken, "PluralConflict");
    accept("singular", names.singular, names.singular === undefined ? [] : [names.singular], taken, "SingularConflict");
    accept("shortNames", names.shortNames, names.shortNames ?? [], taken, "ShortNamesConflict");
    accept("kind", names.kind, [names.kind], kinds, "KindConflict");
    accept("listKind", names.listKind, names.listKind === undefined ? [] : [names.listKind], kinds, "ListKindConflict");
    accept("categories", names.categories, [], taken, "");
    return { names: result, conflict };
  }

  async #writeStatus(
    definition: Definition & Stored<ApiObject>,
    acceptedNames: object,
    conflict: NameConflict | undefined,
  ): Promise<void> {
    const time = rfc3339(this.#deps.clock.now());
    await this.#deps.writer.update(customResourceDefinitions, { name: definition.metadata.name }, (current) => {
      const { status } = current as unknown as Definition;
      const conditions = [...(status?.conditions ?? [])];
      const set = (type: string, value: string, reason: string, message: string): void => {
        const index = conditions.findIndex((condition) => condition.type === type);
        const known = conditions[index];
        const next = {
          type,
          status: value,
          lastTransitionTime: known !== undefined && known.status === value ? (known.lastTransitionTime ?? time) : time,
          reason,
          message,
        };
        if (known === undefined) conditions.push(next);
        else if (known.status !== value || known.reason !== reason || known.message !== message) conditions[index] = next;
      };
      if (conflict === undefined) {
        set("NamesAccepted", "True", "NoConflicts", "no conflicts found");
        if (!conditions.some((condition) => condition.type === "Established" && condition.status === "True"))
          set("Established", "True", "InitialNamesAccepted", "the initial names have been accepted");
      } else {
        set("NamesAccepted", "False", conflict.reason, conflict.message);
        if (!conditions.some((condition) => condition.type === "Established"))
          set("Established", "False", "NotAccepted", "not all names are accepted");
      }
      const next = { ...status, conditions, acceptedNames };
      return deepEqual(next, status) ? undefined : ({ ...current, status: next } as never);
    });
  }
}

function typeOf(definition: Definition, version: DefinitionVersion): ResourceType {
  const { group, names, scope } = definition.spec;
  const subresources: Record<string, SubresourceType> = {};
  const own = { group, version: version.name, kind: names.kind, verbs: ["get", "patch", "update"] };
  if (version.subresources?.status !== undefined) subresources["status"] = own;
  if (version.subresources?.scale !== undefined)
    subresources["scale"] = { ...own, group: "autoscaling", version: "v1", kind: "Scale" };
  return {
    group,
    version: version.name,
    kind: names.kind,
    plural: names.plural,
    singular: names.singular ?? names.kind.toLowerCase(),
    namespaced: scope === "Namespaced",
    shortNames: names.shortNames ?? [],
    categories: names.categories ?? [],
    verbs,
    subresources,
  };
}

function selectable(version: DefinitionVersion): SelectableFields {
  const paths = (version.selectableFields ?? []).map(({ jsonPath }) => ({
    name: jsonPath.replace(/^\./, ""),
    steps: parsePath(jsonPath) ?? [],
  }));
  return {
    names: Object.fromEntries(paths.map(({ name }) => [name, name])),
    of: (object) =>
      Object.fromEntries(
        paths.map(({ name, steps }) => {
          const [value] = valuesAt(object, steps);
          return [name, value === undefined || value === null ? "" : String(value)];
        }),
      ),
    unknown: (field) => `field label not supported: ${field}`,
  };
}
