// Defaults of pods and pod templates: every field upstream sets when a client leaves it out.
import { canonicalResource } from "../quantity.ts";
import type { AnyObject } from "../rules.ts";
import { derived } from "../shared.ts";
import { inField, mapList, withDefaults, withField, without, withTextDefaults } from "../validation/helpers.ts";

/** Rounds every quantity of a resource list up to thousandths, in canonical text. */
export function defaultResourceList(list: AnyObject): AnyObject {
  let copy: Record<string, unknown> | undefined;
  for (const key of Object.keys(list)) {
    const text = canonicalResource(list[key]);
    if (text !== list[key]) {
      copy ??= { ...list } as Record<string, unknown>;
      copy[key] = text;
    }
  }
  return copy ?? list;
}

const resources = (value: AnyObject): AnyObject =>
  inField(inField(value, "limits", defaultResourceList), "requests", defaultResourceList);

/** "nginx", "host:5000/a/b:tag@sha256:…" -> the tag, "latest" where there is neither tag nor digest; undefined for an image that cannot be parsed. */
export function imageTag(image: string): string | undefined {
  const match = imageReference.exec(image);
  if (match === null) return undefined;
  const [, name = "", tag, digest] = match;
  if (/^[a-f0-9]{64}$/.test(name)) return undefined;
  const first = name.slice(0, Math.max(0, name.indexOf("/")));
  const path =
    first !== "" && (/[.:]/.test(first) || first === "localhost" || first !== first.toLowerCase())
      ? name.slice(first.length + 1)
      : name;
  if (path !== path.toLowerCase() || !imagePath.test(path)) return undefined;
  return tag ?? (digest === undefined ? "latest" : "");
}

const imagePath = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$/;
const imageReference =
  /^((?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*(?::[0-9]+)?\/|\[[a-fA-F0-9:]+\](?::[0-9]+)?\/)?[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*)(?::([A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@([A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?$/;

const pullPolicy = (image: string): string => (imageTag(image) === "latest" ? "Always" : "IfNotPresent");

function probe(value: AnyObject): AnyObject {
  const filled = withNumbers(value, { timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 });
  return inField(inField(filled, "httpGet", httpGet), "grpc", (grpc) => withDefaults(grpc, { service: "" }));
}

/** Zero counts as missing, as for Go's integers without a pointer. */
function withNumbers(object: AnyObject, defaults: Record<string, number>): AnyObject {
  let copy: Record<string, unknown> | undefined;
  for (const key in defaults)
    if (!object[key]) {
      copy ??= { ...object } as Record<string, unknown>;
      copy[key] = defaults[key];
    }
  return copy ?? object;
}

const httpGet = (value: AnyObject): AnyObject => withTextDefaults(value, { path: "/", scheme: "HTTP" });
const fieldRef = (value: AnyObject): AnyObject => withTextDefaults(value, { apiVersion: "v1" });
const handler = (value: AnyObject): AnyObject => inField(value, "httpGet", httpGet);

function defaultContainer(container: AnyObject): AnyObject {
  let filled = withTextDefaults(container, {
    imagePullPolicy: pullPolicy(container.image ?? ""),
    terminationMessagePath: "/dev/termination-log",
    terminationMessagePolicy: "File",
  });
  filled = mapList(filled, "ports", (port) => withTextDefaults(port, { protocol: "TCP" }));
  filled = mapList(filled, "env", (entry) =>
    inField(entry, "valueFrom", (from) =>
      inField(
        inField(inField(from, "fieldRef", fieldRef), "fileKeyRef", (ref) => withDefaults(ref, { optional: false })),
        "resourceFieldRef",
        (ref) => (ref.divisor === undefined ? withField(ref, "divisor", "0") : ref),
      ),
    ),
  );
  for (const name of ["livenessProbe", "readinessProbe", "startupProbe"]) filled = inField(filled, name, probe);
  filled = inField(filled, "lifecycle", (lifecycle) => inField(inField(lifecycle, "postStart", handler), "preStop", handler));
  return inField(filled, "resources", resources);
}

const downwardItems = (value: AnyObject): AnyObject =>
  mapList(value, "items", (item) =>
    inField(inField(item, "fieldRef", fieldRef), "resourceFieldRef", (ref) =>
      ref.divisor === undefined ? withField(ref, "divisor", "0") : ref,
    ),
  );

function defaultVolume(volume: AnyObject): AnyObject {
  let filled = volume;
  if (Object.keys(volume).every((key) => key === "name" || volume[key] === undefined || volume[key] === null))
    filled = { ...volume, emptyDir: {} };
  for (const key of ["secret", "configMap"])
    filled = inField(filled, key, (source) => withDefaults(source, { defaultMode: 420 }));
  filled = inField(filled, "downwardAPI", (source) => downwardItems(withDefaults(source, { defaultMode: 420 })));
  filled = inField(filled, "projected", (source) =>
    mapList(withDefaults(source, { defaultMode: 420 }), "sources", (projection) =>
      inField(inField(projection, "downwardAPI", downwardItems), "serviceAccountToken", (token) =>
        withDefaults(token, { expirationSeconds: 3600 }),
      ),
    ),
  );
  filled = inField(filled, "hostPath", (source) => withDefaults(source, { type: "" }));
  filled = inField(filled, "iscsi", (source) => withTextDefaults(source, { iscsiInterface: "default" }));
  filled = inField(filled, "rbd", defaultRbd);
  filled = inField(filled, "azureDisk", defaultAzureDisk);
  filled = inField(filled, "scaleIO", defaultScaleIo);
  filled = inField(filled, "image", (source) => withTextDefaults(source, { pullPolicy: pullPolicy(source.reference ?? "") }));
  return inField(filled, "ephemeral", (source) =>
    inField(source, "volumeClaimTemplate", (template) => inField(template, "spec", defaultClaimSpec)),
  );
}

export const defaultRbd = (source: AnyObject): AnyObject =>
  withTextDefaults(source, { pool: "rbd", user: "admin", keyring: "/etc/ceph/keyring" });
export const defaultAzureDisk = (source: AnyObject): AnyObject =>
  withDefaults(source, { cachingMode: "ReadWrite", kind: "Shared", fsType: "ext4", readOnly: false });
export const defaultScaleIo = (source: AnyObject): AnyObject =>
  withTextDefaults(source, { storageMode: "ThinProvisioned", fsType: "xfs" });

/** Of a PersistentVolumeClaim's spec. */
export const defaultClaimSpec = (spec: AnyObject): AnyObject =>
  withDefaults(inField(spec, "resources", resources), { volumeMode: "Filesystem" });

const hostPorts = (container: AnyObject): AnyObject =>
  mapList(container, "ports", (port) => (port.hostPort ? port : { ...port, hostPort: port.containerPort }));

/** Of a pod's spec, also within templates. */
function defaultPodSpec(spec: AnyObject): AnyObject {
  let filled = withTextDefaults(spec, { dnsPolicy: "ClusterFirst", restartPolicy: "Always", schedulerName: "default-scheduler" });
  filled = withDefaults(filled, { securityContext: {}, terminationGracePeriodSeconds: 30 });
  if (filled.serviceAccountName) filled = withField(filled, "serviceAccount", filled.serviceAccountName);
  else if (filled.serviceAccount) filled = withField(filled, "serviceAccountName", filled.serviceAccount);
  for (const list of ["containers", "initContainers", "ephemeralContainers"]) filled = mapList(filled, list, defaultContainer);
  filled = mapList(filled, "volumes", defaultVolume);
  filled = inField(filled, "overhead", defaultResourceList);
  return inField(filled, "resources", resources);
}

/** Requests default to limits. */
function requestsFromLimits(container: AnyObject): AnyObject {
  const limits = container.resources?.limits;
  if (limits === undefined) return container;
  const requests = { ...limits, ...container.resources.requests };
  return { ...container, resources: { ...container.resources, requests } };
}

export function defaultPod(pod: AnyObject): AnyObject {
  if (pod.spec === undefined) return { ...pod, spec: withDefaults(defaultPodSpec({}), { enableServiceLinks: true }) };
  const filled = inField(withField(pod, "spec", derived(pod.spec, specOfPod)), "status", (status) =>
    sameAddress(status, "podIP", "podIPs"),
  );
  return pod.metadata?.annotations === undefined ? filled : inField(filled, "metadata", withoutInitAnnotations);
}

const initAnnotations = ["alpha", "beta"].flatMap((stage) =>
  ["init-containers", "init-container-statuses"].map((name) => `pod.${stage}.kubernetes.io/${name}`),
);

/** Where init containers were before they had a field: what is still said there is dropped. */
function withoutInitAnnotations(metadata: AnyObject): AnyObject {
  const annotations = without(metadata.annotations, ...initAnnotations);
  return Object.keys(annotations).length === 0
    ? without(metadata, "annotations")
    : withField(metadata, "annotations", annotations);
}

function specOfPod(given: AnyObject): AnyObject {
  let spec = withDefaults(defaultPodSpec(given), { enableServiceLinks: true });
  spec = mapList(mapList(spec, "containers", requestsFromLimits), "initContainers", requestsFromLimits);
  if (spec.resources !== undefined) spec = podLevelRequests(spec);
  if (spec.hostNetwork === true) spec = mapList(mapList(spec, "containers", hostPorts), "initContainers", hostPorts);
  return spec;
}

/** The single address and the first of the list are the same; where they differ the single one counts (older kubelets know only that). */
function sameAddress(status: AnyObject, single: string, list: string): AnyObject {
  const one = status[single];
  const many = status[list] ?? [];
  if (one === undefined || one === "") return many.length > 0 ? { ...status, [single]: many[0].ip } : status;
  return many[0]?.ip === one ? status : { ...status, [list]: [{ ip: one }] };
}

/** Pod-level requests default to pod-level limits (KEP-2837). */
function podLevelRequests(spec: AnyObject): AnyObject {
  const limits = spec.resources?.limits;
  if (limits === undefined) return spec;
  return { ...spec, resources: { ...spec.resources, requests: { ...limits, ...spec.resources.requests } } };
}

/** Of a pod template in a workload. */
export const defaultPodTemplate = (template: AnyObject): AnyObject =>
  withField(template, "spec", defaultPodSpec(template.spec ?? {}));
