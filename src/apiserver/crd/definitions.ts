// Serves custom resources: follows CustomResourceDefinitions, accepts their names, adds and removes what they serve.
import {
  type ApiObject,
  builtInResources,
  customResourceDefinitions,
  deepEqual,
  type ResourceType,
  type Stored,
  type SubresourceType,
} from "#api";
import type { Clock, Log } from "#base";
import type { CacheHub } from "../cache/hub.ts";
import type { ResourceCache } from "../cache/resource-cache.ts";
import { storedForm } from "../cache/stored-bytes.ts";
import type { ObjectReader, ObjectWriter } from "../contract.ts";
import type { Catalogue } from "../registry/catalogue.ts";
import { timeText } from "../registry/request.ts";
import type { ServedResource } from "../registry/resource.ts";
import type { SelectableFields } from "../registry/selectable-fields.ts";
import { customKeyPrefix } from "../registry/storage-keys.ts";
import { customTable } from "./columns.ts";
import type { Definition } from "./definition-rules.ts";
import { parsePath, valuesAt } from "./json-path.ts";
import { type DefinitionNames, type DefinitionVersion, type Props, usesKeyword } from "./props.ts";
import { customStrategy } from "./strategy.ts";
import { prune, withDefaults } from "./values.ts";

const verbs = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];

export interface CustomResourceDeps {
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
    const conflict = this.#nameConflict(definition);
    await this.#writeStatus(definition, conflict);
    const established =
      conflict === undefined ||
      (definition.status?.conditions ?? []).some((condition) => condition.type === "Established" && condition.status === "True");
    if (!established || (serving !== undefined && deepEqual(serving.spec, definition.spec))) return;
    await this.#serve(name, definition, serving);
  }

  #stop(name: string, serving: Serving): void {
    for (const resource of serving.resources) this.#deps.catalogue.remove(resource.type);
    this.#deps.hub.remove(serving.cache);
    this.#serving.delete(name);
  }

  /** Every version that is served, with its schema: for OpenAPI. */
  *versions(): Iterable<{ readonly type: ResourceType; readonly props: Props | undefined }> {
    for (const { spec, resources } of this.#serving.values()) {
      for (const { type } of resources)
        yield {
          type,
          props: (spec as Definition["spec"]).versions.find((version) => version.name === type.version)?.schema?.openAPIV3Schema,
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
      const plain =
        version.name === storage.name &&
        before === undefined &&
        cache.size === 0 &&
        !usesKeyword(props, (inner) => inner.default !== undefined);
      const convert = {
        toStored: (object: ApiObject) => ({ ...object, apiVersion: storedVersion }),
        toServed: (object: ApiObject) =>
          withDefaults(
            props,
            prune(props, { ...object, apiVersion: servedVersion }, () => {}),
          ) as ApiObject,
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

  /** Another definition (or a built-in kind) of the same group has one of the names. */
  #nameConflict(definition: Definition & Stored<ApiObject>): { readonly reason: string; readonly message: string } | undefined {
    const { group, names } = definition.spec;
    for (const other of this.#deps.reader.list(customResourceDefinitions) as unknown as readonly (Definition &
      Stored<ApiObject>)[]) {
      if (other.metadata.name === definition.metadata.name || other.spec.group !== group) continue;
      const accepted = (other.status?.acceptedNames ?? {}) as Partial<DefinitionNames>;
      const taken = new Set(
        [accepted.plural, accepted.singular, ...(accepted.shortNames ?? [])].filter((text) => text !== undefined && text !== ""),
      );
      const kinds = new Set([accepted.kind, accepted.listKind].filter((text) => text !== undefined && text !== ""));
      const checks: readonly (readonly [string, string, ReadonlySet<string | undefined>, string])[] = [
        ["PluralConflict", names.plural, taken, "plural"],
        ["SingularConflict", names.singular ?? "", taken, "singular"],
        ...(names.shortNames ?? []).map((short) => ["ShortNamesConflict", short, taken, "short"] as const),
        ["KindConflict", names.kind, kinds, "kind"],
        ["ListKindConflict", names.listKind ?? "", kinds, "listKind"],
      ];
      for (const [reason, text, set] of checks)
        if (set.has(text)) return { reason, message: `${JSON.stringify(text)} is already in use` };
    }
    return (builtInResources as readonly ResourceType[]).some((type) => type.group === group && type.plural === names.plural)
      ? { reason: "PluralConflict", message: `${JSON.stringify(names.plural)} is already in use` }
      : undefined;
  }

  async #writeStatus(
    definition: Definition & Stored<ApiObject>,
    conflict: { readonly reason: string; readonly message: string } | undefined,
  ): Promise<void> {
    const time = timeText(this.#deps.clock.now());
    await this.#deps.writer.update(customResourceDefinitions, { name: definition.metadata.name }, (current) => {
      const { spec, status } = current as unknown as Definition;
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
      const acceptedNames = conflict === undefined ? spec.names : (status?.acceptedNames ?? { plural: "", kind: "" });
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
