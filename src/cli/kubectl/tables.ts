// The server's tables (meta.k8s.io/v1 Table) as kubectl prints them.
import { type PathStep, parsePath, valuesAt } from "#api";
import { Columns } from "./columns.ts";
import { Failure } from "./failure.ts";

export interface TableRow {
  readonly cells: readonly unknown[];
  readonly object?: {
    readonly metadata?: {
      readonly name?: string;
      readonly namespace?: string;
      readonly labels?: Readonly<Record<string, string>>;
    };
  };
}

export interface Table {
  readonly kind?: string;
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
  readonly columnDefinitions?: readonly { readonly name: string; readonly priority?: number; readonly format?: string }[];
  readonly rows?: readonly TableRow[] | null;
}

/** What to ask the server for. */
export const tableType = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

export interface TableLook {
  readonly wide: boolean;
  readonly noHeaders: boolean;
  readonly withNamespace: boolean;
  /** "pod": before each name, with a slash. */
  readonly kind: string | undefined;
  readonly showLabels: boolean;
  readonly labelColumns: readonly string[];
}

/** Prints tables of one resource one after another, as a list or a watch brings them. */
export class TablePrinter {
  readonly #columns = new Columns();
  readonly #look: TableLook;
  #definitions: Table["columnDefinitions"];
  #hasHeader = false;

  constructor(look: TableLook) {
    this.#look = look;
  }

  /** The text of a table; `event` as --output-watch-events wants it. */
  text(table: Table, event?: string): string {
    this.#definitions = (table.columnDefinitions ?? []).length > 0 ? table.columnDefinitions : this.#definitions;
    const look = this.#look;
    const definitions = this.#definitions ?? [];
    const shown = definitions.flatMap(({ priority = 0 }, index) => (look.wide || priority === 0 ? [index] : []));
    const nameAt = definitions.findIndex(({ format }) => format === "name");
    const rows = (table.rows ?? []).map((row) => [
      ...(event === undefined ? [] : [event]),
      ...(look.withNamespace ? [row.object?.metadata?.namespace ?? ""] : []),
      ...shown.map((index) => (index === nameAt && look.kind !== undefined ? `${look.kind}/` : "") + cellText(row.cells[index])),
      ...look.labelColumns.map((label) => row.object?.metadata?.labels?.[label] ?? ""),
      ...(look.showLabels ? [labelsText(row.object?.metadata?.labels)] : []),
    ]);
    if (this.#hasHeader || look.noHeaders || rows.length === 0) return this.#columns.text(rows);
    this.#hasHeader = true;
    const header = [
      ...(event === undefined ? [] : ["EVENT"]),
      ...(look.withNamespace ? ["NAMESPACE"] : []),
      ...shown.map((index) => (definitions[index]?.name ?? "").toUpperCase()),
      ...look.labelColumns.map((label) => label.slice(label.lastIndexOf("/") + 1).toUpperCase()),
      ...(look.showLabels ? ["LABELS"] : []),
    ];
    return this.#columns.text([header, ...rows]);
  }
}

/** One line of a cell: what follows a line break is left out, and said so. */
export function cellText(cell: unknown): string {
  if (cell === undefined || cell === null) return "";
  if (typeof cell !== "string") return String(cell);
  const end = cell.search(/[\f\n\r]/);
  return end < 0 ? cell : `${cell.slice(0, end)}...`;
}

const labelsText = (labels: Readonly<Record<string, string>> | undefined): string =>
  Object.entries(labels ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`)
    .join(",") || "<none>";

/** For --sort-by, which takes `.metadata.name` with or without braces. */
export function sortPath(text: string): readonly PathStep[] {
  const inner = text.replace(/^\{([\s\S]*)\}$/, "$1");
  const path = parsePath(inner.startsWith(".") || inner.startsWith("[") ? inner : `.${inner}`);
  if (path === undefined)
    throw new Failure(
      `error: unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{name1.name2}' or '{.name1.name2}'`,
    );
  return path;
}

/** Stable; what lacks the field comes first. */
export function sortedBy<T>(items: readonly T[], object: (item: T) => unknown, path: readonly PathStep[]): T[] {
  const keyed = items.map((item) => ({ item, key: valuesAt(object(item), path)[0] }));
  return keyed.sort((a, b) => compareValues(a.key, b.key)).map(({ item }) => item);
}

function compareValues(a: unknown, b: unknown): number {
  if (a === undefined || b === undefined) return a === b ? 0 : a === undefined ? -1 : 1;
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0;
}
