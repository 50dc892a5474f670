// The objects that a command works on: by name, by selector, all of a type, or those of files.
import type { ResourceType } from "#api";
import { defineOptions } from "#base";
import { Failure } from "./failure.ts";
import { fileFlags, fileShort, readObjects } from "./files.ts";
import { listObjects } from "./requests.ts";
import type { AnyObject, Session } from "./session.ts";
import { readTargets } from "./targets.ts";

export const chooseFlags = defineOptions({
  ...fileFlags,
  selector: { kind: "string", help: "Labels to select by", placeholder: "SELECTOR" },
  fieldSelector: { kind: "string", help: "Fields to select by", placeholder: "SELECTOR" },
  all: { kind: "boolean", default: false, help: "All of the type in the namespace" },
  allNamespaces: { kind: "boolean", default: false, help: "Of all namespaces" },
});

export const chooseShort = { ...fileShort, selector: "l", allNamespaces: "A" } as const;

interface ChooseOptions {
  readonly filename: readonly string[];
  readonly recursive: boolean;
  readonly selector: string | undefined;
  readonly fieldSelector: string | undefined;
  readonly all: boolean;
  readonly allNamespaces: boolean;
}

export interface ChosenObject {
  readonly type: ResourceType;
  readonly namespace: string | undefined;
  readonly name: string;
  /** As it was listed or stands in a file; absent for a name. */
  readonly object?: AnyObject;
}

export const needsResources = `error: You must provide one or more resources by argument or filename.
Example resource specifications include:
   '-f rsrc.yaml'
   '--filename=rsrc.json'
   '<resource> <name>'
   '<resource>'`;

/** In the order in which they were named. Throws as kubectl does for what does not fit together. */
export async function chooseObjects(session: Session, plain: readonly string[], options: ChooseOptions): Promise<ChosenObject[]> {
  if (options.filename.length > 0) {
    const objects = await readObjects(session, options);
    return objects.map(({ type, namespace, object }) => ({ type, namespace, name: object.metadata.name ?? "", object }));
  }
  const isSelected = options.all || (options.selector ?? "") !== "" || (options.fieldSelector ?? "") !== "";
  const targets = readTargets(await session.resources(), plain);
  if (targets.length === 0) throw new Failure(needsResources);
  const isNamed = targets.some(({ name }) => name !== undefined);
  if (isNamed && isSelected) throw new Failure("error: name cannot be provided when a selector is specified");
  if (!isNamed && !isSelected) throw new Failure("error: resource(s) were provided, but no name was specified");
  if (isNamed && options.allNamespaces) throw new Failure("error: a resource cannot be retrieved by name across all namespaces");
  const own = await session.namespace();
  if (isNamed) return targets.map(({ type, name = "" }) => ({ type, namespace: type.namespaced ? own : undefined, name }));
  const client = await session.client();
  const { selector: labelSelector, fieldSelector } = options;
  const found: ChosenObject[] = [];
  for (const { type } of targets) {
    const choice = { namespace: options.allNamespaces ? undefined : own, labelSelector, fieldSelector };
    for await (const object of listObjects(client, type, choice))
      found.push({ type, namespace: object.metadata.namespace, name: object.metadata.name ?? "", object });
  }
  return found;
}
