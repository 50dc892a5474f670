// Every resource that is served, by group, version and plural: built-in ones from the facts, custom ones as they come and go.
import { builtInResources, qualified, type ResourceType, SharedValues } from "#api";
import type { CacheHub } from "../cache/hub.ts";
import type { ResourceCache } from "../cache/resource-cache.ts";
import { storedForm } from "../cache/stored-bytes.ts";
import { conversionOf } from "./conversions.ts";
import type { ServedResource } from "./resource.ts";
import { eventsV1Fields, selectableFields } from "./selectable-fields.ts";
import { builtInKeyPrefix } from "./storage-keys.ts";
import { strategyOf } from "./strategy.ts";

const keyOf = (group: string, version: string, plural: string): string => `${group}/${version}/${plural}`;

/** A resource without storage: it is only posted to (reviews, bindings) or computed (componentstatuses). */
const isVirtual = (type: ResourceType): boolean => !type.verbs.includes("watch");

export class Catalogue {
  readonly #served = new Map<string, ServedResource>();
  readonly #virtual = new Map<string, ResourceType>();
  readonly #groups = new Map<string, Set<string>>();
  readonly #listeners = new Set<() => void>();

  /** Declares the caches of all built-in resources; to be called before the hub starts. */
  addBuiltIns(hub: CacheHub): void {
    const caches = new Map<string, ResourceCache>();
    const types = builtInResources as readonly ResourceType[];
    for (const type of types) {
      this.#note(type);
      if (isVirtual(type)) {
        this.#virtual.set(keyOf(type.group, type.version, type.plural), type);
        continue;
      }
      const conversion = conversionOf(type);
      const storedType =
        conversion === undefined
          ? type
          : types.find(
              (other) =>
                other.kind === type.kind &&
                other.group === conversion.stored.group &&
                other.version === conversion.stored.version,
            );
      if (storedType === undefined) throw new Error(`The stored version of ${qualified(type)} is not known`);
      const prefix = builtInKeyPrefix(storedType);
      const storedFields = selectableFields(qualified(storedType));
      const cache =
        caches.get(prefix) ?? hub.declare({ form: storedForm(storedType), prefix, selectableFields: storedFields.of });
      caches.set(prefix, cache);
      const strategy = strategyOf(type);
      this.#served.set(keyOf(type.group, type.version, type.plural), {
        type,
        storedType,
        cache,
        strategy,
        ...(strategy.rules.sharedSpec === true ? { specs: new SharedValues() } : {}),
        fields: type.group === "events.k8s.io" ? eventsV1Fields : storedFields,
        custom: false,
        ...(conversion === undefined ? {} : { convert: conversion.conversion }),
      });
    }
  }

  add(resource: ServedResource): void {
    this.#note(resource.type);
    this.#served.set(keyOf(resource.type.group, resource.type.version, resource.type.plural), resource);
    this.changed();
  }

  remove(type: ResourceType): void {
    this.#served.delete(keyOf(type.group, type.version, type.plural));
    const versions = this.#groups.get(type.group);
    const stillServed = [...this.#served.values()].some(
      (other) => other.type.group === type.group && other.type.version === type.version,
    );
    if (!stillServed) versions?.delete(type.version);
    if (versions?.size === 0) this.#groups.delete(type.group);
    this.changed();
  }

  get(group: string, version: string, plural: string): ServedResource | undefined {
    return this.#served.get(keyOf(group, version, plural));
  }

  of(type: Pick<ResourceType, "group" | "version" | "plural">): ServedResource {
    const resource = this.get(type.group, type.version, type.plural);
    if (resource === undefined) throw new Error(`Resource "${qualified(type)}" is not served`);
    return resource;
  }

  virtual(group: string, version: string, plural: string): ResourceType | undefined {
    return this.#virtual.get(keyOf(group, version, plural));
  }

  hasGroup(group: string): boolean {
    return this.#groups.has(group);
  }

  /** Whether only custom resources are in the group. */
  isCustom(group: string): boolean {
    return this.#groups.has(group) && !(builtInResources as readonly ResourceType[]).some((type) => type.group === group);
  }

  get groups(): ReadonlyMap<string, ReadonlySet<string>> {
    return this.#groups;
  }

  get served(): Iterable<ServedResource> {
    return this.#served.values();
  }

  /** All types of one group version, in the order in which they were added. */
  types(group: string, version: string): readonly ResourceType[] {
    const wanted = (type: ResourceType): boolean => type.group === group && type.version === version;
    return [
      ...(builtInResources as readonly ResourceType[]).filter(wanted),
      ...[...this.#served.values()]
        .filter((resource) => resource.custom && wanted(resource.type))
        .map((resource) => resource.type),
    ];
  }

  /** Calls back when resources come or go. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  changed(): void {
    for (const listener of this.#listeners) listener();
  }

  #note(type: ResourceType): void {
    const versions = this.#groups.get(type.group) ?? new Set<string>();
    versions.add(type.version);
    this.#groups.set(type.group, versions);
  }
}
