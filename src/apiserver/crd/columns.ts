// Tables of custom resources: the columns of the definition, filled by JSON path.
import { type ApiObject, humanDuration, parsePath, valuesAt } from "#api";
import { ageOf, nameOf } from "../tables/cells.ts";
import { ageColumn, nameColumn } from "../tables/column.ts";
import type { TableKind } from "../tables/table.ts";
import type { PrinterColumn } from "./props.ts";

export function customTable(columns: readonly PrinterColumn[] | undefined): TableKind {
  if (columns === undefined || columns.length === 0)
    return { columns: [nameColumn, ageColumn], cells: (object, nowMs) => [nameOf(object), ageOf(object, nowMs)] };
  const readers = columns.map((column) => ({ column, steps: parsePath(column.jsonPath) }));
  return {
    columns: [
      nameColumn,
      ...columns.map(({ name, type, format = "", description, priority = 0, jsonPath }) => ({
        name,
        type,
        format,
        priority,
        description: description ?? `Custom resource definition column (in JSONPath format): ${jsonPath}`,
      })),
    ],
    cells: (object: ApiObject, nowMs) => [
      nameOf(object),
      ...readers.map(({ column, steps }) => (steps === undefined ? null : cell(column, valuesAt(object, steps), nowMs))),
    ],
  };
}

/** With sorted keys, as Go marshals maps. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sorted((value as Record<string, unknown>)[key])]),
  );
}

function cell(column: PrinterColumn, found: readonly unknown[], nowMs: number): unknown {
  const [value] = found;
  if (value === null && column.type === "string") return "<no value>";
  if (found.length === 0 || value === undefined || value === null) return null;
  switch (column.type) {
    case "integer":
      return typeof value === "number" ? Math.trunc(value) : typeof value === "bigint" ? value : null;
    case "number":
      return typeof value === "number" ? value : null;
    case "boolean":
      return typeof value === "boolean" ? value : null;
    case "date": {
      if (typeof value !== "string") return null;
      const time = Date.parse(value);
      return Number.isNaN(time) ? "<invalid>" : humanDuration(nowMs - time);
    }
    default:
      return typeof value === "object"
        ? JSON.stringify(sorted(value))
        : String(value === true ? "True" : value === false ? "False" : value);
  }
}
