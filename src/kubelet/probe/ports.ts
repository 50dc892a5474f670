// Ports that a probe or hook names.
import type { IntOrString } from "#api";
import type { AnyContainer } from "../pod/spec.ts";

/** The number, or that of the container's port with this name. Throws when there is none. */
export function portOf(port: IntOrString, container: AnyContainer): number {
  if (typeof port === "number") return port;
  const named =
    container.ports?.find((item) => item.name === port)?.containerPort ?? (/^\d+$/.test(port) ? Number(port) : undefined);
  if (named === undefined) throw new Error(`couldn't find port: ${JSON.stringify(port)} in container "${container.name}"`);
  return named;
}
