// Probes and lifecycle hooks: what runs, and how often.
import { type FieldError, forbiddenField, invalidValue, required } from "../../errors.ts";
import { isHttpHeaderName, isPortNumber } from "../../names.ts";
import type { AnyObject } from "../../rules.ts";
import { nonNegative, oneOf, validatePortNumOrName } from "../basics.ts";
import { invalids } from "../meta.ts";

function validateHttpGet(action: AnyObject, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (!action.path) errors.push(required(`${path}.path`));
  errors.push(...validatePortNumOrName(action.port, `${path}.port`));
  errors.push(...oneOf(action.scheme, ["HTTP", "HTTPS"], `${path}.scheme`));
  for (const header of action.httpHeaders ?? [])
    errors.push(...invalids(`${path}.httpHeaders`, header.name ?? "", isHttpHeaderName(header.name ?? "")));
  return errors;
}

/** Exactly one kind of handler, and that one right. `grace` bounds a sleep. */
function validateHandler(handler: AnyObject, grace: number | undefined, path: string): FieldError[] {
  const errors: FieldError[] = [];
  let count = 0;
  const each = (name: string, check: (action: AnyObject, at: string) => FieldError[]): void => {
    const action = handler[name];
    if (action === undefined || action === null) return;
    if (count > 0) errors.push(forbiddenField(`${path}.${name}`, "may not specify more than 1 handler type"));
    else errors.push(...check(action, `${path}.${name}`));
    count++;
  };
  each("exec", (action, at) => ((action.command?.length ?? 0) === 0 ? [required(`${at}.command`)] : []));
  each("httpGet", validateHttpGet);
  each("tcpSocket", (action, at) => validatePortNumOrName(action.port, `${at}.port`));
  each("grpc", (action, at) => invalids(`${at}.port`, action.port ?? 0, isPortNumber(action.port ?? 0)));
  each("sleep", (action, at) => {
    const seconds = action.seconds ?? 0;
    return grace !== undefined && (seconds < 0 || seconds > grace)
      ? [invalidValue(at, seconds, `must be non-negative and less than terminationGracePeriodSeconds (${grace})`)]
      : [];
  });
  if (count === 0) errors.push(required(path, "must specify a handler type"));
  return errors;
}

export function validateLifecycle(lifecycle: AnyObject, grace: number | undefined, path: string): FieldError[] {
  if (lifecycle === undefined || lifecycle === null) return [];
  return [
    ...(lifecycle.postStart ? validateHandler(lifecycle.postStart, grace, `${path}.postStart`) : []),
    ...(lifecycle.preStop ? validateHandler(lifecycle.preStop, grace, `${path}.preStop`) : []),
  ];
}

function validateProbe(probe: AnyObject, grace: number | undefined, path: string): FieldError[] {
  const errors = validateHandler(probe, grace, path);
  for (const field of ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"])
    errors.push(...nonNegative(probe[field], `${path}.${field}`));
  if (probe.terminationGracePeriodSeconds !== undefined && probe.terminationGracePeriodSeconds <= 0)
    errors.push(
      invalidValue(`${path}.terminationGracePeriodSeconds`, probe.terminationGracePeriodSeconds, "must be greater than 0"),
    );
  return errors;
}

export function validateLivenessProbe(probe: AnyObject, grace: number | undefined, path: string): FieldError[] {
  if (probe === undefined || probe === null) return [];
  const errors = validateProbe(probe, grace, path);
  if (probe.successThreshold !== 1)
    errors.push(invalidValue(`${path}.successThreshold`, probe.successThreshold ?? 0, "must be 1"));
  return errors;
}

export function validateReadinessProbe(probe: AnyObject, grace: number | undefined, path: string): FieldError[] {
  if (probe === undefined || probe === null) return [];
  const errors = validateProbe(probe, grace, path);
  if (probe.terminationGracePeriodSeconds !== undefined)
    errors.push(
      invalidValue(
        `${path}.terminationGracePeriodSeconds`,
        probe.terminationGracePeriodSeconds,
        "must not be set for readinessProbes",
      ),
    );
  return errors;
}
