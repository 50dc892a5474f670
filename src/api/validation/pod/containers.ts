// Containers: names, images, ports, environment, mounts, restart rules.
import { own } from "#base";
import {
  duplicate,
  type FieldError,
  forbiddenField,
  invalidValue,
  notFoundValue,
  notSupported,
  required,
  tooMany,
} from "../../errors.ts";
import { isConfigMapKey, isDns1123Label, isEnvironmentName, isLabelKey, isPortName, isPortNumber } from "../../names.ts";
import type { AnyObject } from "../../rules.ts";
import { localDescendingPath, oneOf } from "../basics.ts";
import { invalids } from "../meta.ts";
import { validateLifecycle, validateLivenessProbe, validateReadinessProbe } from "./handlers.ts";
import { validateResourceRequirements } from "./resources.ts";
import { validateSecurityContext } from "./security.ts";

/** What of the pod its containers depend on. */
export interface ContainerContext {
  /** By name. */
  readonly volumes: ReadonlyMap<string, AnyObject>;
  readonly claimNames: ReadonlySet<string>;
  readonly grace: number | undefined;
  readonly podRestartPolicy: string | undefined;
  /** False: the pod has a user namespace of its own. */
  readonly hostUsers: boolean;
  readonly hostNetwork: boolean;
}

/** At `path` in any message; the volumes that an ephemeral container may use are the pod's. */
export function validateContainers(containers: readonly AnyObject[], context: ContainerContext, path: string): FieldError[] {
  if (containers.length === 0) return [required(path)];
  const errors: FieldError[] = [];
  const names = new Set<string>();
  for (const [i, container] of containers.entries()) {
    const at = `${path}[${i}]`;
    errors.push(...validateContainerCommon(container, context, at));
    // Main containers only: names are unique, probes and hooks are allowed.
    if (container.name) {
      if (names.has(container.name)) errors.push(duplicate(`${at}.name`, container.name));
      else names.add(container.name);
    }
    errors.push(...validateRestart(container, at));
    errors.push(...validateLifecycle(container.lifecycle, context.grace, `${at}.lifecycle`));
    errors.push(...validateLivenessProbe(container.livenessProbe, context.grace, `${at}.livenessProbe`));
    errors.push(...validateReadinessProbe(container.readinessProbe, context.grace, `${at}.readinessProbe`));
    errors.push(...validateLivenessProbe(container.startupProbe, context.grace, `${at}.startupProbe`));
  }
  // Ports conflict across containers, so this comes last.
  return [...errors, ...validateHostPortConflicts(containers, path)];
}

export function validateInitContainers(
  init: readonly AnyObject[],
  main: readonly AnyObject[],
  context: ContainerContext,
  path: string,
): FieldError[] {
  const errors: FieldError[] = [];
  const names = new Set<string>(main.map((container) => container.name).filter((name) => name));
  for (const [i, container] of init.entries()) {
    const at = `${path}[${i}]`;
    const sidecar = container.restartPolicy === "Always";
    errors.push(...validateContainerCommon(container, context, at));
    errors.push(...validateRestart(container, at));
    if (container.name) {
      if (names.has(container.name)) errors.push(duplicate(`${at}.name`, container.name));
      else names.add(container.name);
    }
    errors.push(...validateHostPortConflicts([container], path));
    if (sidecar) {
      errors.push(...validateLifecycle(container.lifecycle, context.grace, `${at}.lifecycle`));
      errors.push(...validateLivenessProbe(container.livenessProbe, context.grace, `${at}.livenessProbe`));
      errors.push(...validateReadinessProbe(container.readinessProbe, context.grace, `${at}.readinessProbe`));
      errors.push(...validateLivenessProbe(container.startupProbe, context.grace, `${at}.startupProbe`));
    } else {
      for (const field of ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"])
        if (container[field] !== undefined)
          errors.push(forbiddenField(`${at}.${field}`, "may not be set for init containers without restartPolicy=Always"));
    }
  }
  return errors;
}

const ephemeralForbidden = ["ports", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle"] as const;

export function validateEphemeralContainers(
  ephemeral: readonly AnyObject[],
  main: readonly AnyObject[],
  init: readonly AnyObject[],
  context: ContainerContext,
  path: string,
): FieldError[] {
  const errors: FieldError[] = [];
  const others = new Set<string>([...main, ...init].map((container) => container.name));
  const names = new Set<string>(others);
  const targets = new Set<string>(others);
  for (const [i, container] of ephemeral.entries()) {
    const at = `${path}[${i}]`;
    errors.push(...validateContainerCommon(container, context, at));
    if (container.name) {
      if (names.has(container.name)) errors.push(duplicate(`${at}.name`, container.name));
      names.add(container.name);
    }
    if (container.targetContainerName && !targets.has(container.targetContainerName))
      errors.push(notFoundValue(`${at}.targetContainerName`, container.targetContainerName));
    for (const field of ephemeralForbidden) {
      const value = container[field];
      if (value !== undefined && !(Array.isArray(value) && value.length === 0))
        errors.push(forbiddenField(`${at}.${field}`, "cannot be set for an Ephemeral Container"));
    }
    const { resources } = container;
    if (
      resources !== undefined &&
      (resources.limits !== undefined || resources.requests !== undefined || resources.claims !== undefined)
    )
      errors.push(forbiddenField(`${at}.resources`, "cannot be set for an Ephemeral Container"));
    for (const [m, mount] of (container.volumeMounts ?? []).entries()) {
      if (mount.subPath)
        errors.push(forbiddenField(`${at}.volumeMounts[${m}].subPath`, "cannot be set for an Ephemeral Container"));
      if (mount.subPathExpr)
        errors.push(forbiddenField(`${at}.volumeMounts[${m}].subPathExpr`, "cannot be set for an Ephemeral Container"));
    }
    if (container.restartPolicy !== undefined)
      errors.push(forbiddenField(`${at}.restartPolicy`, "cannot be set for an Ephemeral Container"));
    if ((container.restartPolicyRules?.length ?? 0) > 0)
      errors.push(forbiddenField(`${at}.restartPolicyRules`, "cannot be set for an Ephemeral Container"));
  }
  return errors;
}

function validateContainerCommon(container: AnyObject, context: ContainerContext, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (!container.name) errors.push(required(`${path}.name`));
  else errors.push(...invalids(`${path}.name`, container.name, isDns1123Label(container.name)));
  if (!container.image) errors.push(required(`${path}.image`));
  errors.push(
    ...oneOf(container.terminationMessagePolicy, ["File", "FallbackToLogsOnError"], `${path}.terminationMessagePolicy`, true),
  );
  errors.push(...validatePorts(container.ports ?? [], `${path}.ports`));
  errors.push(...validateEnv(container.env ?? [], context, `${path}.env`));
  errors.push(...validateEnvFrom(container.envFrom ?? [], `${path}.envFrom`));
  errors.push(...validateMounts(container, context, `${path}.volumeMounts`));
  errors.push(...validateDevices(container, context, `${path}.volumeDevices`));
  errors.push(...oneOf(container.imagePullPolicy, ["Always", "IfNotPresent", "Never"], `${path}.imagePullPolicy`, true));
  errors.push(...validateResourceRequirements(container.resources, context.claimNames, `${path}.resources`));
  errors.push(...validateResizePolicy(container.resizePolicy ?? [], `${path}.resizePolicy`, context.podRestartPolicy));
  errors.push(...validateSecurityContext(container.securityContext, `${path}.securityContext`, context.hostUsers));
  return errors;
}

function validateResizePolicy(policies: readonly AnyObject[], path: string, podRestartPolicy: string | undefined): FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  for (const [i, policy] of policies.entries()) {
    if (seen.has(policy.resourceName)) errors.push(duplicate(`${path}[${i}]`, policy.resourceName));
    seen.add(policy.resourceName);
    if (policy.resourceName !== "cpu" && policy.resourceName !== "memory") {
      if (policy.resourceName === "" || policy.resourceName === undefined) errors.push(required(path));
      else errors.push(notSupported(path, policy.resourceName, ["cpu", "memory"]));
    }
    if (policy.restartPolicy === "" || policy.restartPolicy === undefined) errors.push(required(path));
    else if (policy.restartPolicy !== "NotRequired" && policy.restartPolicy !== "RestartContainer")
      errors.push(notSupported(path, policy.restartPolicy, ["NotRequired", "RestartContainer"]));
    if (podRestartPolicy === "Never" && policy.restartPolicy !== "NotRequired")
      errors.push(invalidValue(path, policy.restartPolicy, "must be 'NotRequired' when `restartPolicy` is 'Never'"));
  }
  return errors;
}

function validatePorts(ports: readonly AnyObject[], path: string): FieldError[] {
  const errors: FieldError[] = [];
  const names = new Set<string>();
  for (const [i, port] of ports.entries()) {
    const at = `${path}[${i}]`;
    if (port.name) {
      const messages = isPortName(port.name);
      if (messages.length > 0) errors.push(...invalids(`${at}.name`, port.name, messages));
      else if (names.has(port.name)) errors.push(duplicate(`${at}.name`, port.name));
      else names.add(port.name);
    }
    if (!port.containerPort) errors.push(required(`${at}.containerPort`));
    else errors.push(...invalids(`${at}.containerPort`, port.containerPort, isPortNumber(port.containerPort)));
    if (port.hostPort) errors.push(...invalids(`${at}.hostPort`, port.hostPort, isPortNumber(port.hostPort)));
    errors.push(...oneOf(port.protocol, ["SCTP", "TCP", "UDP"], `${at}.protocol`, true));
  }
  return errors;
}

function validateHostPortConflicts(containers: readonly AnyObject[], path: string): FieldError[] {
  const errors: FieldError[] = [];
  const taken = new Set<string>();
  for (const [c, container] of containers.entries())
    for (const [p, port] of (container.ports ?? []).entries()) {
      if (!port.hostPort) continue;
      const key = `${port.protocol}/${port.hostIP ?? ""}/${port.hostPort}`;
      if (taken.has(key)) errors.push(duplicate(`${path}[${c}].ports[${p}].hostPort`, key));
      else taken.add(key);
    }
  return errors;
}

const environmentFields = [
  "metadata.name",
  "metadata.namespace",
  "metadata.uid",
  "spec.nodeName",
  "spec.serviceAccountName",
  "status.hostIP",
  "status.hostIPs",
  "status.podIP",
  "status.podIPs",
];

function validateEnv(entries: readonly AnyObject[], context: ContainerContext, path: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const [i, entry] of entries.entries()) {
    const at = `${path}[${i}]`;
    if (!entry.name) errors.push(required(`${at}.name`));
    else errors.push(...invalids(`${at}.name`, entry.name, isEnvironmentName(entry.name)));
    errors.push(...validateEnvSource(entry, context, `${at}.valueFrom`));
  }
  return errors;
}

function validateEnvSource(entry: AnyObject, context: ContainerContext, path: string): FieldError[] {
  const source = entry.valueFrom;
  if (source === undefined || source === null) return [];
  const errors: FieldError[] = [];
  let count = 0;
  if (source.fieldRef) {
    count++;
    errors.push(...validateFieldRef(source.fieldRef, environmentFields, `${path}.fieldRef`));
  }
  if (source.resourceFieldRef) {
    count++;
    errors.push(...validateResourceFieldRef(source.resourceFieldRef, `${path}.resourceFieldRef`, false));
  }
  for (const kind of ["configMapKeyRef", "secretKeyRef"]) {
    const reference = source[kind];
    if (!reference) continue;
    count++;
    if (!reference.name) errors.push(required(`${path}.${kind}.name`));
    if (!reference.key) errors.push(required(`${path}.${kind}.key`));
    else errors.push(...invalids(`${path}.${kind}.key`, reference.key, isConfigMapKey(reference.key)));
  }
  if (source.fileKeyRef) {
    count++;
    const reference = source.fileKeyRef;
    const at = `${path}.fileKeyRef`;
    if (!reference.volumeName) errors.push(required(`${at}.volumeName`));
    else if (context.volumes.get(reference.volumeName)?.emptyDir === undefined)
      errors.push(notFoundValue(`${at}.volumeName`, reference.volumeName));
    if (!reference.path) errors.push(required(`${at}.path`));
    else errors.push(...localDescendingPath(reference.path, `${at}.path`));
    if (!reference.key) errors.push(required(`${at}.key`));
    else errors.push(...invalids(`${at}.key`, reference.key, isEnvironmentName(reference.key)));
  }
  if (count === 0)
    errors.push(
      invalidValue(
        path,
        "",
        "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`",
      ),
    );
  if ((entry.value ?? "") !== "") {
    if (count > 0) errors.push(invalidValue(path, "", "may not be specified when `value` is not empty"));
  } else if (count > 1) errors.push(invalidValue(path, "", "may not have more than one field specified at a time"));
  return errors;
}

/** "metadata.labels['key']" is split into its path and subscript. */
function splitSubscript(fieldPath: string): { path: string; subscript: string | undefined } {
  const match = /^(.*)\['(.*)'\]$/.exec(fieldPath);
  return match === null ? { path: fieldPath, subscript: undefined } : { path: match[1] ?? "", subscript: match[2] ?? "" };
}

export function validateFieldRef(reference: AnyObject, supported: readonly string[], path: string): FieldError[] {
  if (!reference.apiVersion) return [required(`${path}.apiVersion`)];
  if (!reference.fieldPath) return [required(`${path}.fieldPath`)];
  const { path: field, subscript } = splitSubscript(reference.fieldPath);
  if (reference.apiVersion !== "v1")
    return [
      invalidValue(
        `${path}.fieldPath`,
        reference.fieldPath,
        `error converting fieldPath: unsupported pod version: ${reference.apiVersion}`,
      ),
    ];
  if (subscript !== undefined) {
    if (field === "metadata.annotations") return invalids(path, subscript, isLabelKey(subscript.toLowerCase()));
    if (field === "metadata.labels") return invalids(path, subscript, isLabelKey(subscript));
    return [invalidValue(path, field, "does not support subscript")];
  }
  const known = new Set([
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.serviceAccountName",
    "spec.schedulerName",
    "status.phase",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
  ]);
  if (!known.has(field))
    return [
      invalidValue(
        `${path}.fieldPath`,
        reference.fieldPath,
        `error converting fieldPath: field label not supported: ${reference.fieldPath}`,
      ),
    ];
  return supported.includes(field) ? [] : [notSupported(`${path}.fieldPath`, field, [...supported].sort())];
}

const containerFields = [
  "limits.cpu",
  "limits.memory",
  "limits.ephemeral-storage",
  "requests.cpu",
  "requests.memory",
  "requests.ephemeral-storage",
];
const divisors: Readonly<Record<string, readonly string[]>> = {
  cpu: ["1m", "1"],
  memory: ["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"],
  "ephemeral-storage": ["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"],
};

export function validateResourceFieldRef(reference: AnyObject, path: string, volume: boolean): FieldError[] {
  const resource: string = reference.resource ?? "";
  if (volume && !reference.containerName) return [required(`${path}.containerName`)];
  if (resource === "") return [required(`${path}.resource`)];
  const hugePages = resource.startsWith("limits.hugepages-") || resource.startsWith("requests.hugepages-");
  if (!containerFields.includes(resource) && !hugePages)
    return [notSupported(`${path}.resource`, resource, [...containerFields].sort())];
  const kind = resource.slice(resource.indexOf(".") + 1);
  const allowed = own(divisors, hugePages ? "memory" : kind) ?? [];
  const divisor = String(reference.divisor ?? "0");
  if (divisor === "0" || divisor === "" || allowed.includes(divisor)) return [];
  const what =
    kind === "cpu" ? "cpu" : kind === "ephemeral-storage" ? "local ephemeral storage" : hugePages ? "hugepages" : "memory";
  return [
    invalidValue(
      "divisor",
      divisor,
      kind === "cpu"
        ? "only divisor's values 1m and 1 are supported with the cpu resource"
        : `only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported with the ${what} resource`,
    ),
  ];
}

function validateEnvFrom(sources: readonly AnyObject[], path: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const [i, source] of sources.entries()) {
    const at = `${path}[${i}]`;
    if (source.prefix) errors.push(...invalids(`${at}.prefix`, source.prefix, isEnvironmentName(source.prefix)));
    let count = 0;
    for (const kind of ["configMapRef", "secretRef"]) {
      if (!source[kind]) continue;
      count++;
      if (!source[kind].name) errors.push(required(`${at}.${kind}.name`));
    }
    if (count === 0) errors.push(invalidValue(path, "", "must specify one of: `configMapRef` or `secretRef`"));
    else if (count > 1) errors.push(invalidValue(path, "", "may not have more than one field specified at a time"));
  }
  return errors;
}

const sortedPropagation = ["Bidirectional", "HostToContainer", "None"];

function validateMounts(container: AnyObject, context: ContainerContext, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const deviceNames = new Set<string>((container.volumeDevices ?? []).map((device: AnyObject) => device.name));
  const devicePaths = new Set<string>((container.volumeDevices ?? []).map((device: AnyObject) => device.devicePath));
  const paths = new Set<string>();
  for (const [i, mount] of (container.volumeMounts ?? []).entries()) {
    const at = `${path}[${i}]`;
    const mountPath = mount.mountPath ?? "";
    if (!mount.name) errors.push(required(`${at}.name`));
    if (!context.volumes.has(mount.name)) errors.push(notFoundValue(`${at}.name`, mount.name ?? ""));
    if (mountPath === "") errors.push(required(`${at}.mountPath`));
    if (paths.has(mountPath)) errors.push(invalidValue(`${at}.mountPath`, mountPath, "must be unique"));
    paths.add(mountPath);
    if (deviceNames.has(mount.name))
      errors.push(invalidValue(`${at}.name`, mount.name, "must not already exist in volumeDevices"));
    if (devicePaths.has(mountPath))
      errors.push(invalidValue(`${at}.mountPath`, mountPath, "must not already exist as a path in volumeDevices"));
    if (mount.subPath) errors.push(...localDescendingPath(mount.subPath, `${path}.subPath`));
    if (mount.subPathExpr) {
      if (mount.subPath)
        errors.push(invalidValue(`${at}.subPathExpr`, mount.subPathExpr, "subPathExpr and subPath are mutually exclusive"));
      errors.push(...localDescendingPath(mount.subPathExpr, `${path}.subPathExpr`));
    }
    const { mountPropagation: propagation, recursiveReadOnly } = mount;
    if (propagation !== undefined) {
      if (!sortedPropagation.includes(propagation))
        errors.push(notSupported(`${path}.mountPropagation`, propagation, sortedPropagation));
      else if (propagation === "Bidirectional" && container.securityContext?.privileged !== true)
        errors.push(
          forbiddenField(
            `${path}.mountPropagation`,
            "Bidirectional mount propagation is available only to privileged containers",
          ),
        );
    }
    if (recursiveReadOnly !== undefined && recursiveReadOnly !== "Disabled") {
      if (recursiveReadOnly !== "Enabled" && recursiveReadOnly !== "IfPossible")
        errors.push(notSupported(`${path}.recursiveReadOnly`, recursiveReadOnly, ["Disabled", "Enabled", "IfPossible"]));
      else {
        if (mount.readOnly !== true)
          errors.push(forbiddenField(`${path}.recursiveReadOnly`, "may only be specified when readOnly is true"));
        if (propagation !== undefined && propagation !== "None")
          errors.push(
            forbiddenField(`${path}.recursiveReadOnly`, "may only be specified when mountPropagation is None or not specified"),
          );
      }
    }
  }
  return errors;
}

function validateDevices(container: AnyObject, context: ContainerContext, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const devices = container.volumeDevices ?? [];
  if (devices.length > 0 && !context.hostUsers) errors.push(forbiddenField(path, "when `hostUsers` is false"));
  const mountNames = new Set<string>((container.volumeMounts ?? []).map((mount: AnyObject) => mount.name));
  const mountPaths = new Set<string>((container.volumeMounts ?? []).map((mount: AnyObject) => mount.mountPath));
  const names = new Set<string>();
  const paths = new Set<string>();
  for (const [i, device] of devices.entries()) {
    const at = `${path}[${i}]`;
    const { name = "", devicePath = "" } = device;
    const volume = context.volumes.get(name);
    if (name === "") errors.push(required(`${at}.name`));
    if (names.has(name)) errors.push(invalidValue(`${at}.name`, name, "must be unique"));
    if (volume !== undefined && volume.persistentVolumeClaim === undefined && volume.ephemeral === undefined)
      errors.push(
        invalidValue(`${at}.name`, name, "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode"),
      );
    if (volume === undefined) errors.push(notFoundValue(`${at}.name`, name));
    if (devicePath === "") errors.push(required(`${at}.devicePath`));
    if (paths.has(devicePath)) errors.push(invalidValue(`${at}.devicePath`, devicePath, "must be unique"));
    if (devicePath !== "" && devicePath.split("/").includes(".."))
      errors.push(invalidValue(`${at}.devicePath`, devicePath, "can not contain backsteps ('..')"));
    else paths.add(devicePath);
    if (mountNames.has(name)) errors.push(invalidValue(`${at}.name`, name, "must not already exist in volumeMounts"));
    if (mountPaths.has(devicePath))
      errors.push(invalidValue(`${at}.devicePath`, devicePath, "must not already exist as a path in volumeMounts"));
    if (name !== "") names.add(name);
  }
  return errors;
}

function validateRestart(container: AnyObject, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const policies = ["Always", "Never", "OnFailure"];
  const rules: readonly AnyObject[] = container.restartPolicyRules ?? [];
  if (container.restartPolicy !== undefined && !policies.includes(container.restartPolicy))
    errors.push(notSupported(`${path}.restartPolicy`, container.restartPolicy, policies));
  if (container.restartPolicy === undefined && rules.length > 0)
    errors.push(required(`${path}.restartPolicy`, "must specify restartPolicy when restart rules are used"));
  if (rules.length > 20) errors.push(tooMany(`${path}.restartPolicyRules`, rules.length, 20));
  for (const [i, rule] of rules.entries()) {
    const at = `${path}.restartPolicyRules[${i}]`;
    if (rule.action !== "Restart" && rule.action !== "RestartAllContainers")
      errors.push(notSupported(`${at}.action`, rule.action ?? "", ["Restart", "RestartAllContainers"]));
    if (rule.exitCodes === undefined || rule.exitCodes === null) {
      errors.push(required(`${at}.exitCodes`, "must be specified"));
      continue;
    }
    if (rule.exitCodes.operator !== "In" && rule.exitCodes.operator !== "NotIn")
      errors.push(notSupported(`${at}.exitCodes.operator`, rule.exitCodes.operator ?? "", ["In", "NotIn"]));
    if ((rule.exitCodes.values?.length ?? 0) > 255)
      errors.push(tooMany(`${at}.exitCodes.values`, rule.exitCodes.values.length, 255));
  }
  return errors;
}
