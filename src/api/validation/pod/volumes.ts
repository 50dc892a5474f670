// Volumes of pods: exactly one source each, and that one right.
import { duplicate, type FieldError, forbiddenField, invalidValue, notSupported, required } from "../../errors.ts";
import { isDns1123Label, isDns1123Subdomain } from "../../names.ts";
import { parseQuantity, signOf } from "../../quantity.ts";
import type { AnyObject } from "../../rules.ts";
import { inRange, localDescendingPath, localNonReservedPath, noBacksteps, oneOf } from "../basics.ts";
import { validateClaimSpec } from "../claims.ts";
import { invalids, validateAnnotations, validateLabels } from "../meta.ts";
import { validateFieldRef, validateResourceFieldRef } from "./containers.ts";

type Check = (source: AnyObject, path: string, volume: AnyObject) => FieldError[];
const need = (source: AnyObject, path: string, ...fields: readonly string[]): FieldError[] =>
  fields.filter((field) => !source[field]).map((field) => required(`${path}.${field}`));

const fileMode = (mode: number | undefined, path: string): FieldError[] =>
  mode !== undefined && (mode > 0o777 || mode < 0)
    ? [invalidValue(path, mode, "must be a number between 0 and 0777 (octal), both inclusive")]
    : [];

function keyToPath(item: AnyObject, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (!item.key) errors.push(required(`${path}.key`));
  if (!item.path) errors.push(required(`${path}.path`));
  errors.push(...localNonReservedPath(item.path ?? "", `${path}.path`));
  return [...errors, ...fileMode(item.mode, `${path}.mode`)];
}
const items = (source: AnyObject, path: string): FieldError[] =>
  (source.items ?? []).flatMap((item: AnyObject, i: number) => keyToPath(item, `${path}.items[${i}]`));

const hostPathTypes = ["", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"];
const downwardFields = ["metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"];

function downwardFile(file: AnyObject, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (!file.path) errors.push(required(`${path}.path`));
  errors.push(...localNonReservedPath(file.path ?? "", `${path}.path`));
  if (file.fieldRef) {
    errors.push(...validateFieldRef(file.fieldRef, downwardFields, `${path}.fieldRef`));
    if (file.resourceFieldRef)
      errors.push(invalidValue(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously"));
  } else if (file.resourceFieldRef)
    errors.push(...validateResourceFieldRef(file.resourceFieldRef, `${path}.resourceFieldRef`, true));
  else errors.push(required(path, "one of fieldRef and resourceFieldRef is required"));
  return [...errors, ...fileMode(file.mode, `${path}.mode`)];
}

const hostPorts = (text: string, path: string): FieldError[] => {
  const bad = "must be a host:port pair or multiple pairs separated by commas";
  if (text === "") return [required(path, bad)];
  return text.split(",").some((part) => !/^[^:]+:[^:]+$/.test(part)) ? [invalidValue(path, text, bad)] : [];
};

const pdName: Check = (source, path) => {
  const errors = need(source, path, "pdName");
  if (source.partition < 0 || source.partition > 255)
    errors.push(invalidValue(`${path}.partition`, source.partition, "must be between 0 and 255, inclusive"));
  return errors;
};

/** One check per source. Upstream's paths differ from the field's name now and then (persistentDisk). */
const checks: Readonly<Record<string, Check>> = {
  emptyDir: (source, path) =>
    source.sizeLimit !== undefined && signOf(parseQuantity(source.sizeLimit)) < 0
      ? [forbiddenField(`${path}.sizeLimit`, "SizeLimit field must be a valid resource quantity")]
      : [],
  hostPath: (source, path) => {
    if (!source.path) return [required(`${path}.path`)];
    return [
      ...noBacksteps(source.path, `${path}.path`),
      ...(source.type !== undefined && !hostPathTypes.includes(source.type)
        ? [notSupported(`${path}.type`, source.type, hostPathTypes)]
        : []),
    ];
  },
  gitRepo: (source, path) => [
    ...need(source, path, "repository"),
    ...localDescendingPath(source.directory ?? "", `${path}.directory`),
  ],
  gcePersistentDisk: (source, path) => pdName(source, path.replace(/gcePersistentDisk$/, "persistentDisk"), undefined),
  awsElasticBlockStore: (source, path) => [
    ...need(source, path, "volumeID"),
    ...inRange(source.partition, 0, 255, `${path}.partition`),
  ],
  secret: (source, path) => [
    ...need(source, path, "secretName"),
    ...fileMode(source.defaultMode, `${path}.defaultMode`),
    ...items(source, path),
  ],
  nfs: (source, path) => {
    const errors = need(source, path, "server", "path");
    if (source.path && !source.path.startsWith("/"))
      errors.push(invalidValue(`${path}.path`, source.path, "must be an absolute path"));
    return errors;
  },
  iscsi: (source, path) => {
    const errors = need(source, path, "targetPortal");
    if (!source.iqn) errors.push(required(`${path}.iqn`));
    else if (!/^(iqn\.\d{4}-\d{2}\.([a-z0-9-.]+(:.*)?)|(eui\.[0-9A-Fa-f]{16})|(naa\.[0-9A-Fa-f]{16,32}))$/i.test(source.iqn))
      errors.push(invalidValue(`${path}.iqn`, source.iqn, "must be valid format"));
    if (source.lun < 0 || source.lun > 255)
      errors.push(invalidValue(`${path}.lun`, source.lun, "must be between 0 and 255, inclusive"));
    if ((source.chapAuthDiscovery || source.chapAuthSession) && !source.secretRef) errors.push(required(`${path}.secretRef`));
    return errors;
  },
  glusterfs: (source, path) => need(source, path, "endpoints", "path"),
  flocker: (source, path) => {
    if (!source.datasetName && !source.datasetUUID) return [required(path, "one of datasetName and datasetUUID is required")];
    const errors: FieldError[] = [];
    if (source.datasetName && source.datasetUUID)
      errors.push(invalidValue(path, "resource", "datasetName and datasetUUID can not be specified simultaneously"));
    if (source.datasetName?.includes("/"))
      errors.push(invalidValue(`${path}.datasetName`, source.datasetName, "must not contain '/'"));
    return errors;
  },
  rbd: (source, path) => [
    ...((source.monitors?.length ?? 0) === 0 ? [required(`${path}.monitors`)] : []),
    ...need(source, path, "image"),
  ],
  cinder: (source, path) => [
    ...need(source, path, "volumeID"),
    ...(source.secretRef && !source.secretRef.name ? [required(`${path}.secretRef.name`)] : []),
  ],
  cephfs: (source, path) => ((source.monitors?.length ?? 0) === 0 ? [required(`${path}.monitors`)] : []),
  quobyte: (source, path) => {
    const errors = hostPorts(source.registry ?? "", `${path}.registry`);
    if (source.tenant?.length >= 65)
      errors.push(required(`${path}.tenant`, "must be a UUID and may not exceed a length of 64 characters"));
    return [...errors, ...need(source, path, "volume")];
  },
  downwardAPI: (source, path) => [
    ...fileMode(source.defaultMode, `${path}.defaultMode`),
    ...(source.items ?? []).flatMap((file: AnyObject) => downwardFile(file, path)),
  ],
  fc: (source, path) => {
    const errors: FieldError[] = [];
    const names = source.targetWWNs?.length ?? 0;
    const ids = source.wwids?.length ?? 0;
    if (names === 0 && ids === 0)
      errors.push(required(`${path}.targetWWNs`, "must specify either targetWWNs or wwids, but not both"));
    if (names !== 0 && ids !== 0)
      errors.push(
        invalidValue(`${path}.targetWWNs`, source.targetWWNs, "targetWWNs and wwids can not be specified simultaneously"),
      );
    if (names !== 0) {
      if (source.lun === undefined) errors.push(required(`${path}.lun`, "lun is required if targetWWNs is specified"));
      else if (source.lun < 0 || source.lun > 255)
        errors.push(invalidValue(`${path}.lun`, source.lun, "must be between 0 and 255, inclusive"));
    }
    return errors;
  },
  configMap: (source, path) => [
    ...need(source, path, "name"),
    ...fileMode(source.defaultMode, `${path}.defaultMode`),
    ...items(source, path),
  ],
  azureFile: (source, path) => need(source, path, "secretName", "shareName"),
  flexVolume: (source, path) => {
    const errors = need(source, path, "driver");
    for (const key of Object.keys(source.options ?? {})) {
      const namespace = key.split("/")[0] ?? "";
      if (/(^|\.)(kubernetes|k8s)\.io$/.test(namespace))
        errors.push(invalidValue(`${path}.options[${key}]`, key, "kubernetes.io and k8s.io namespaces are reserved"));
    }
    return errors;
  },
  vsphereVolume: (source, path) => need(source, path, "volumePath"),
  photonPersistentDisk: (source, path) => need(source, path, "pdID"),
  portworxVolume: (source, path) => need(source, path, "volumeID"),
  azureDisk: (source, path) => {
    const errors = need(source, path, "diskName", "diskURI");
    const uri: string = source.diskURI ?? "";
    if (source.cachingMode !== undefined)
      errors.push(...oneOf(source.cachingMode, ["None", "ReadOnly", "ReadWrite"], `${path}.cachingMode`));
    const managed = uri.startsWith("/subscriptions/");
    const blob = uri.startsWith("https://");
    if (source.kind !== "Managed" && !blob)
      errors.push(
        notSupported(`${path}.diskURI`, uri, ["https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"]),
      );
    else if (source.kind === "Managed" && !managed)
      errors.push(
        notSupported(`${path}.diskURI`, uri, [
          "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}",
        ]),
      );
    return errors;
  },
  storageos: (source, path) => {
    const errors: FieldError[] = [];
    if (!source.volumeName) errors.push(required(`${path}.volumeName`));
    else errors.push(...invalids(`${path}.volumeName`, source.volumeName, isDns1123Label(source.volumeName)));
    if (source.volumeNamespace)
      errors.push(...invalids(`${path}.volumeNamespace`, source.volumeNamespace, isDns1123Label(source.volumeNamespace)));
    if (source.secretRef && !source.secretRef.name) errors.push(required(`${path}.secretRef.name`));
    return errors;
  },
  projected: (source, path) => [
    ...fileMode(source.defaultMode, `${path}.defaultMode`),
    ...projections(source.sources ?? [], path),
  ],
  scaleIO: (source, path) => need(source, path, "gateway", "system", "volumeName"),
  csi: (source, path) => {
    const errors = csiDriverName(source.driver ?? "", `${path}.driver`);
    if (source.nodePublishSecretRef && !source.nodePublishSecretRef.name)
      errors.push(required(`${path}.nodePublishSecretRef.name`));
    return errors;
  },
  persistentVolumeClaim: (source, path) => {
    const errors = need(source, path, "claimName");
    return errors.length > 0 ? errors : invalids(`${path}.claimName`, source.claimName, isDns1123Subdomain(source.claimName));
  },
  ephemeral: (source, path) => {
    const template = source.volumeClaimTemplate;
    if (template === undefined) return [required(`${path}.volumeClaimTemplate`)];
    const at = `${path}.volumeClaimTemplate`;
    const errors: FieldError[] = [
      ...validateLabels(template.metadata?.labels, `${at}.metadata.labels`),
      ...validateAnnotations(template.metadata?.annotations, `${at}.metadata.annotations`),
    ];
    for (const field of ["name", "generateName", "namespace"])
      if (template.metadata?.[field]) errors.push(forbiddenField(`${at}.metadata.${field}`, "cannot be set"));
    return [...errors, ...validateClaimSpec(template.spec ?? {}, `${at}.spec`)];
  },
  image: (source, path) => [
    ...need(source, path, "reference"),
    ...oneOf(source.pullPolicy, ["Always", "IfNotPresent", "Never"], `${path}.pullPolicy`, true),
  ],
};

export function csiDriverName(name: string, path: string): FieldError[] {
  if (name === "") return [required(path)];
  const errors: FieldError[] = [];
  if (name.length > 63) errors.push({ type: "FieldValueTooLong", field: path, detail: "may not be more than 63 bytes" });
  return [...errors, ...invalids(path, name, isDns1123Subdomain(name.toLowerCase()))];
}

function projections(sources: readonly AnyObject[], path: string): FieldError[] {
  const errors: FieldError[] = [];
  const paths = new Set<string>();
  const conflict = (file: string, at: string): void => {
    if (file === "") return;
    if (paths.has(file)) errors.push(invalidValue(at, file, "conflicting duplicate paths"));
    else paths.add(file);
  };
  for (const [i, source] of sources.entries()) {
    const at = `${path}.sources[${i}]`;
    let count = 0;
    const each = (name: string, check: (value: AnyObject, inner: string) => void): void => {
      if (source[name] === undefined || source[name] === null) return;
      if (count > 0) errors.push(forbiddenField(`${at}.${name}`, "may not specify more than 1 volume type per source"));
      count++;
      check(source[name], `${at}.${name}`);
    };
    for (const kind of ["secret", "configMap"])
      each(kind, (value, inner) => {
        errors.push(...need(value, inner, "name"));
        for (const [k, item] of (value.items ?? []).entries()) {
          errors.push(...keyToPath(item, `${inner}.items[${k}]`));
          conflict(item.path ?? "", path);
        }
      });
    each("downwardAPI", (value, inner) => {
      for (const file of value.items ?? []) {
        errors.push(...downwardFile(file, inner));
        conflict(file.path ?? "", path);
      }
    });
    each("serviceAccountToken", (value, inner) => {
      if (value.expirationSeconds < 600)
        errors.push(
          invalidValue(`${inner}.expirationSeconds`, value.expirationSeconds, "may not specify a duration less than 10 minutes"),
        );
      if (value.expirationSeconds > 2 ** 32)
        errors.push(
          invalidValue(
            `${inner}.expirationSeconds`,
            value.expirationSeconds,
            "may not specify a duration larger than 2^32 seconds",
          ),
        );
      if (!value.path) errors.push(required(`${inner}.path`));
      else errors.push(...localNonReservedPath(value.path, `${inner}.path`));
      conflict(value.path ?? "", path);
    });
    if (count === 0 && Object.keys(source).length > 0) errors.push(required(at));
  }
  return errors;
}

/** Errors of all volumes, and the volumes by name (those with a usable name). */
export function validateVolumes(
  volumes: readonly AnyObject[],
  path: string,
): { errors: FieldError[]; byName: Map<string, AnyObject> } {
  const errors: FieldError[] = [];
  const byName = new Map<string, AnyObject>();
  const names = new Set<string>();
  for (const [i, volume] of volumes.entries()) {
    const at = `${path}[${i}]`;
    const found = validateSource(volume, at);
    if (!volume.name) found.push(required(`${at}.name`));
    else {
      found.push(...invalids(`${at}.name`, volume.name, isDns1123Label(volume.name)));
      if (names.has(volume.name)) found.push(duplicate(`${at}.name`, volume.name));
    }
    if (found.length === 0) {
      names.add(volume.name);
      byName.set(volume.name, volume);
    } else errors.push(...found);
  }
  return { errors, byName };
}

function validateSource(volume: AnyObject, path: string): FieldError[] {
  const errors: FieldError[] = [];
  let count = 0;
  for (const kind of Object.keys(checks)) {
    const source = volume[kind];
    if (source === undefined || source === null) continue;
    if (count > 0) errors.push(forbiddenField(`${path}.${kind}`, "may not specify more than 1 volume type"));
    else errors.push(...(checks[kind] as Check)(source, `${path}.${kind}`, volume));
    count++;
  }
  if (count === 0) errors.push(required(path, "must specify a volume type"));
  return errors;
}

/** Checks of persistent volume sources that are the same as of pod volumes. */
export const volumeSourceChecks = checks;
