// Says of each flow schema whether the priority level that it names is there: its condition "Dangling".
import {
  type FlowSchema,
  type FlowSchemaCondition,
  flowSchemas,
  isNotFound,
  priorityLevelConfigurations,
  type Stored,
} from "#api";
import { type Clock, type Log, silentLog } from "#base";
import { rfc3339 } from "#client";
import type { ObjectReader, ObjectWriter } from "../contract.ts";

/** The condition of a schema that names this priority level. */
export function dangling(
  level: string,
  isThere: boolean,
  time: string,
): FlowSchemaCondition & { readonly lastTransitionTime: string } {
  const named = `This FlowSchema references the PriorityLevelConfiguration object named ${JSON.stringify(level)}`;
  return {
    type: "Dangling",
    status: isThere ? "False" : "True",
    lastTransitionTime: time,
    reason: isThere ? "Found" : "NotFound",
    message: isThere ? `${named} and it exists` : `${named} but there is no such object`,
  };
}

export interface DanglingSchemasOptions {
  readonly reader: ObjectReader;
  readonly writer: ObjectWriter;
  readonly clock: Clock;
  readonly log?: Log;
}

/** Follows schemas and levels from now on, those that are there first; until disposed. */
export function followFlowSchemas({ reader, writer, clock, log = silentLog }: DanglingSchemasOptions): Disposable {
  let stopped = false;
  const check = (schema: Stored<FlowSchema>): void => {
    if (judged(schema) === undefined) return;
    writer.update<FlowSchema>(flowSchemas, { name: schema.metadata.name }, judged).catch((error: unknown) => {
      if (!stopped && !isNotFound(error))
        log.warn("cannot tell whether a flow schema dangles", { name: schema.metadata.name, error });
    });
  };

  /** The schema with the condition that is true of it; undefined when it has it. */
  function judged(schema: Stored<FlowSchema>): FlowSchema | undefined {
    const level = schema.spec?.priorityLevelConfiguration.name ?? "";
    const wanted = dangling(level, reader.get(priorityLevelConfigurations, { name: level }) !== undefined, rfc3339(clock.now()));
    const conditions = schema.status?.conditions ?? [];
    const had = conditions.find(({ type, status }) => type === wanted.type && status === wanted.status);
    if (had?.message === wanted.message) return undefined;
    const others = conditions.filter(({ type }) => type !== wanted.type);
    const lastTransitionTime = had?.lastTransitionTime ?? wanted.lastTransitionTime;
    return { ...schema, status: { ...schema.status, conditions: [...others, { ...wanted, lastTransitionTime }] } };
  }

  const followed = [
    reader.onChange(flowSchemas, (schema, event) => {
      if (event !== "DELETED") check(schema as Stored<FlowSchema>); // the resource's objects
    }),
    reader.onChange(priorityLevelConfigurations, (level, event) => {
      if (event === "MODIFIED") return;
      for (const schema of reader.list<FlowSchema>(flowSchemas))
        if (schema.spec?.priorityLevelConfiguration.name === level.metadata.name) check(schema);
    }),
  ];
  for (const schema of reader.list<FlowSchema>(flowSchemas)) check(schema);
  return {
    [Symbol.dispose]: () => {
      stopped = true;
      for (const each of followed) each[Symbol.dispose]();
    },
  };
}
