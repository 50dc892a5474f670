// Tables of the built-in kinds, by "group/kind".
import { coreToEventFields } from "../registry/conversions.ts";
import type { Any } from "./cells.ts";
import { coreTables, eventTable } from "./core.ts";
import { otherTables } from "./others.ts";
import type { TableKind } from "./table.ts";
import { workloadTables } from "./workloads.ts";

/** events.k8s.io has other names for the same fields. */
const coreEvent = (event: Any): Any => ({
  ...event,
  ...Object.fromEntries(Object.entries(coreToEventFields).map(([core, newer]) => [core, event[newer]])),
});

export const builtInColumns: Readonly<Record<string, TableKind>> = {
  ...coreTables,
  ...workloadTables,
  ...otherTables,
  "events.k8s.io/Event": eventTable(coreEvent),
};
