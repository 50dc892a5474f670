// How a table column is declared.
import type { Column } from "./table.ts";

export const column = (
  name: string,
  type = "string",
  options: { readonly format?: string; readonly priority?: number; readonly description?: string } = {},
): Column => ({
  name,
  type,
  format: options.format ?? "",
  description: options.description ?? "",
  priority: options.priority ?? 0,
});

/** Shown by `-o wide` only. */
export const wide = (name: string, type = "string"): Column => column(name, type, { priority: 1 });

export const nameColumn: Column = column("Name", "string", {
  format: "name",
  description:
    "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names",
});

export const ageColumn: Column = column("Age", "string", {
  description:
    "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata",
});
