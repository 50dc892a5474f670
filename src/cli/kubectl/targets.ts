// What a command line points at: "pods a b", "pod/a deploy/b", "po,svc", "all", and the files of -f.
import { qualified, type ResourceType } from "#api";
import { type Resources, resourceNamed, resourcesNamed } from "./discovery.ts";
import { Failure } from "./failure.ts";

export interface Target {
  readonly type: ResourceType;
  /** Absent: all of the type. */
  readonly name?: string;
}

/** Throws as kubectl does for what does not fit together. */
export function readTargets(resources: Resources, words: readonly string[]): Target[] {
  if (words.some((word) => word.includes("/"))) {
    return words.map((word) => {
      const [kind = "", name = "", ...more] = word.split("/");
      if (!word.includes("/"))
        throw new Failure(
          `error: there is no need to specify a resource type as a separate argument when passing arguments in resource/name form (e.g. 'kubectl get resource/<resource_name>' instead of 'kubectl get resource resource/<resource_name>'`,
        );
      if (kind === "" || name === "" || more.length > 0)
        throw new Failure("error: arguments in resource/name form must have a single resource and name");
      return { type: resourceNamed(resources, kind), name };
    });
  }
  const [first, ...names] = words;
  if (first === undefined) return [];
  const types = first.split(",").flatMap((text) => resourcesNamed(resources, text));
  if (names.length === 0) return types.map((type) => ({ type }));
  return types.flatMap((type) => names.map((name) => ({ type, name })));
}

/** "pod", "deployment.apps": how kubectl names a kind before an object's name. */
export const kindName = (type: ResourceType): string => {
  const singular = type.singular === "" ? type.kind.toLowerCase() : type.singular;
  return qualified({ group: type.group, plural: singular });
};

/** "pod/a" */
export const shownName = (type: ResourceType, name: string): string => `${kindName(type)}/${name}`;
