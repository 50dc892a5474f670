// The CRI v1 codec and its methods, from the generated field table.
import { defineMessages, type GrpcMethod, type Messages, parseFieldTable } from "#base";
import { criTable } from "./gen/messages.ts";

export interface CriProtocol {
  readonly messages: Messages;
  /** method("RuntimeService", "RunPodSandbox") */
  method(service: "RuntimeService" | "ImageService", name: string): GrpcMethod;
}

/** Parses the table: call it once per connection, not per call. */
export function criProtocol(): CriProtocol {
  const tables = parseFieldTable(criTable);
  return {
    messages: defineMessages(tables, { int64: "exact", camelCase: true }),
    method: (service, name) => {
      const found = tables.services.get(`runtime.v1.${service}`)?.find((method) => method.name === name);
      if (found === undefined) throw new Error(`CRI has no method "${service}/${name}"`);
      return { path: `/runtime.v1.${service}/${name}`, request: found.request, response: found.response };
    },
  };
}
