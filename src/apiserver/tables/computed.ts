// Tables of objects that are not stored: the Scale of a workload, component statuses.
import type { Wanted } from "../http/accept.ts";
import { type Any, ageOf, nameOf } from "./cells.ts";
import { ageColumn, column, nameColumn } from "./column.ts";
import type { TableKind } from "./table.ts";

const kinds: Readonly<Record<string, TableKind>> = {
  Scale: {
    columns: [
      { ...nameColumn, format: "" },
      column("Desired", "integer", { description: "replicas is the desired number of instances for the scaled object." }),
      column("Available", "integer", {
        description: "replicas is the actual number of observed instances of the scaled object.",
      }),
      ageColumn,
    ],
    cells: (scale: Any, nowMs) => [nameOf(scale), scale.spec?.replicas ?? 0, scale.status?.replicas ?? 0, ageOf(scale, nowMs)],
  },
  ComponentStatus: {
    columns: [
      nameColumn,
      column("Status", "string", { description: "Status of the component conditions" }),
      column("Message", "string", { description: "Message of the component conditions" }),
      column("Error", "string", { description: "Error of the component conditions" }),
    ],
    cells: (component: Any) => {
      const { status, message = "", error = "" } = (component.conditions ?? []).find(({ type }: Any) => type === "Healthy") ?? {};
      return [nameOf(component), status === "True" ? "Healthy" : status === "False" ? "Unhealthy" : "Unknown", message, error];
    },
  },
};

/** Undefined: the object has no table. Lists of such objects have one as well. */
export function computedTable(object: Any, wanted: Pick<Wanted, "metaVersion" | "include" | "nowMs">): object | undefined {
  const kind = kinds[(object?.kind ?? "").replace(/List$/, "")];
  if (kind === undefined) return undefined;
  const { resourceVersion } = object.metadata ?? {};
  return {
    kind: "Table",
    apiVersion: `meta.k8s.io/${wanted.metaVersion}`,
    metadata: resourceVersion === undefined ? {} : { resourceVersion },
    columnDefinitions: kind.columns,
    rows: (object.items ?? [object]).map((row: Any) => ({ cells: kind.cells(row, wanted.nowMs), object: shown(row, wanted) })),
  };
}

function shown(row: Any, { include, metaVersion }: Pick<Wanted, "include" | "metaVersion">): unknown {
  if (include === "None") return null;
  if (include === "Object") return row;
  return { kind: "PartialObjectMetadata", apiVersion: `meta.k8s.io/${metaVersion}`, metadata: row.metadata };
}
