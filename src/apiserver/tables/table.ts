// Server-side tables: what `kubectl get` prints.
import type { ApiObject, ObjectMeta } from "#api";
import type { Entry } from "../cache/entry.ts";
import { parseStored } from "../cache/stored-bytes.ts";
import type { Wanted } from "../http/accept.ts";
import { type ServedResource, toServed } from "../registry/resource.ts";
import { columnsOf } from "./columns.ts";

export interface Column {
  readonly name: string;
  readonly type: string;
  readonly format: string;
  readonly description: string;
  readonly priority: number;
}

/** Columns of a kind and how to fill them; cells may be shorter than the columns when upstream leaves them out. */
export interface TableKind {
  readonly columns: readonly Column[];
  readonly cells: (object: ApiObject, nowMs: number) => readonly unknown[];
  /** Conditions of a row (a finished pod); kubectl shows such rows differently. */
  readonly rowConditions?: (object: ApiObject) => readonly object[] | undefined;
}

type TableWanted = Pick<Wanted, "metaVersion" | "include" | "nowMs">;

export function tableOf(
  resource: ServedResource,
  entries: readonly Entry[],
  metadata: object,
  wanted: TableWanted,
  withColumns = true,
): object {
  const kind = columnsOf(resource);
  return {
    kind: "Table",
    apiVersion: `meta.k8s.io/${wanted.metaVersion}`,
    metadata,
    columnDefinitions: withColumns ? kind.columns : null,
    rows: entries.map((entry) => rowOf(resource, kind, entry, wanted)),
  };
}

function rowOf(resource: ServedResource, kind: TableKind, entry: Entry, wanted: TableWanted): object {
  const object = toServed(resource, entry.object ?? parseStored(entry.bytes));
  const conditions = kind.rowConditions?.(object);
  const shown = conditions === undefined ? {} : { conditions };
  const cells = kind.cells(object, wanted.nowMs);
  switch (wanted.include) {
    case "None":
      return { cells, ...shown, object: null };
    case "Object":
      return { cells, ...shown, object };
    default:
      return {
        cells,
        ...shown,
        object: {
          kind: "PartialObjectMetadata",
          apiVersion: `meta.k8s.io/${wanted.metaVersion}`,
          metadata: resource.type.kind === "DaemonSet" ? withoutTemplateGeneration(object.metadata) : object.metadata,
        },
      };
  }
}

/** Inside, upstream has this in a field of its own: only whole objects show the annotation. */
function withoutTemplateGeneration(metadata: ObjectMeta): ObjectMeta {
  const { "deprecated.daemonset.template.generation": _, ...annotations } = metadata.annotations ?? {};
  const { annotations: __, ...rest } = metadata;
  return Object.keys(annotations).length === 0 ? rest : { ...rest, annotations };
}
