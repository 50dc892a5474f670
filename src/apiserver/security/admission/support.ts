// What the plugins share: whom they concern, and how they refuse.
import { type ApiError, type ApiObject, forbidden, type ResourceType } from "#api";
import type { AdmissionContext } from "../../contract.ts";

/** True for writes of the resource itself, not of a subresource. */
export const isResource = (context: AdmissionContext, type: ResourceType): boolean =>
  context.subresource === "" && context.type.plural === type.plural && context.type.group === type.group;

export const isSubresource = (context: AdmissionContext, type: ResourceType, subresource: string): boolean =>
  context.subresource === subresource && context.type.plural === type.plural && context.type.group === type.group;

/** `pods "web-" is forbidden: <why>`: the name, or what it will be generated from. */
export const refuse = (context: AdmissionContext, object: ApiObject | undefined, why: string): ApiError =>
  forbidden({ group: context.type.group, plural: context.type.plural }, nameOf(context, object), why);

export function nameOf(context: AdmissionContext, object: ApiObject | undefined): string {
  if (context.name !== "") return context.name;
  const name = object?.metadata?.name ?? "";
  return name === "" ? (object?.metadata?.generateName ?? "") : name;
}

/** One text, or several in brackets: how upstream joins errors. */
export const joined = (errors: readonly string[]): string =>
  errors.length === 1 ? (errors[0] as string) : `[${errors.join(", ")}]`;

/** A pod that stands for a static pod of its node. */
export const mirrorAnnotation = "kubernetes.io/config.mirror";
