// The columns of each kind, as upstream's printers have them.
import type { ServedResource } from "../registry/resource.ts";
import { builtInColumns } from "./built-in.ts";
import { ageColumn, column, nameColumn } from "./column.ts";
import { columnDescriptions } from "./descriptions.ts";
import type { TableKind } from "./table.ts";

/** Kinds without columns of their own: name and creation time. */
const plain: TableKind = {
  columns: [nameColumn, column("Created At", "date", { description: ageColumn.description })],
  cells: (object) => [object.metadata.name ?? "", object.metadata.creationTimestamp ?? null],
};

export const columnsOf = (resource: ServedResource): TableKind =>
  resource.table ?? described[`${resource.type.group}/${resource.type.kind}`] ?? plain;

/** The columns of a kind with upstream's words on each. */
const described: Readonly<Record<string, TableKind>> = Object.fromEntries(
  Object.entries(builtInColumns).map(([kind, table]) => [
    kind,
    {
      ...table,
      columns: table.columns.map((one) => ({ ...one, description: columnDescriptions[kind]?.[one.name] ?? one.description })),
    },
  ]),
);
