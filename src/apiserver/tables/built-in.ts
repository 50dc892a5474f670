// Tables of the built-in kinds, by "group/kind".
import { ageColumn, column, nameColumn } from "./column.ts";
import { age } from "./duration.ts";
import type { TableKind } from "./table.ts";

const nameAndAge: TableKind = {
  columns: [nameColumn, ageColumn],
  cells: (object, nowMs) => [object.metadata.name ?? "", age(object.metadata.creationTimestamp, nowMs)],
};

export const builtInColumns: Readonly<Record<string, TableKind>> = {
  "/ServiceAccount": nameAndAge,
  "/ConfigMap": {
    columns: [nameColumn, column("Data"), ageColumn],
    cells: (object, nowMs) => {
      const { data = {}, binaryData = {} } = object as { data?: object; binaryData?: object };
      return [object.metadata.name ?? "", Object.keys(data).length + Object.keys(binaryData).length, age(object.metadata.creationTimestamp, nowMs)];
    },
  },
};
