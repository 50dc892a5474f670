// Reads upstream's OpenAPI v2 document: the source from which our facts are generated.
import { readFileSync } from "node:fs";

export interface SwaggerProperty {
  readonly $ref?: string;
  readonly type?: string;
  readonly format?: string;
  readonly description?: string;
  readonly items?: SwaggerProperty;
  readonly additionalProperties?: SwaggerProperty;
  readonly "x-kubernetes-list-type"?: string;
  readonly "x-kubernetes-list-map-keys"?: readonly string[];
  readonly "x-kubernetes-map-type"?: string;
  readonly "x-kubernetes-patch-strategy"?: string;
  readonly "x-kubernetes-patch-merge-key"?: string;
}

export interface GroupVersionKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

export interface SwaggerDefinition extends SwaggerProperty {
  readonly properties?: Readonly<Record<string, SwaggerProperty>>;
  readonly required?: readonly string[];
  readonly "x-kubernetes-group-version-kind"?: readonly GroupVersionKind[];
}

export interface SwaggerOperation {
  readonly "x-kubernetes-action"?: string;
  readonly "x-kubernetes-group-version-kind"?: GroupVersionKind;
}

export interface Swagger {
  readonly definitions: Readonly<Record<string, SwaggerDefinition>>;
  readonly paths: Readonly<Record<string, Readonly<Record<string, SwaggerOperation>>>>;
}

export const readSwagger = (file: string): Swagger => JSON.parse(readFileSync(file, "utf8")) as Swagger;

/** "#/definitions/io.k8s.api.core.v1.Pod" -> "io.k8s.api.core.v1.Pod" */
export const refName = (ref: string): string => ref.slice("#/definitions/".length);

/** "io.k8s.api.core.v1.Pod" -> { package: "io.k8s.api.core.v1", type: "Pod" } */
export function splitName(name: string): { package: string; type: string } {
  const dot = name.lastIndexOf(".");
  return { package: name.slice(0, dot), type: name.slice(dot + 1) };
}

/** "io.k8s.api.core.v1" -> "core-v1": the file in which the package's types live. */
export function packageFile(packageName: string): string {
  const parts = packageName.split(".");
  return parts.slice(-2).join("-").toLowerCase();
}
