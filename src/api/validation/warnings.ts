// Texts for Warning headers: what still works but should not be written any more.
import { own } from "#base";
import { semanticEqual } from "../deep-equal.ts";
import { isDns1123Label } from "../names.ts";
import { parseQuantity, scaledQuantity } from "../quantity.ts";
import type { AnyObject } from "../rules.ts";
import { known } from "../shared.ts";
import { appArmorOf, appArmorPrefix } from "./pod/pod.ts";

const nodeLabels: Readonly<Record<string, readonly [since: string, use: string]>> = {
  "beta.kubernetes.io/arch": ["v1.14", "kubernetes.io/arch"],
  "beta.kubernetes.io/os": ["v1.14", "kubernetes.io/os"],
  "failure-domain.beta.kubernetes.io/region": ["v1.17", "topology.kubernetes.io/region"],
  "failure-domain.beta.kubernetes.io/zone": ["v1.17", "topology.kubernetes.io/zone"],
  "beta.kubernetes.io/instance-type": ["v1.17", "node.kubernetes.io/instance-type"],
};

/** "deprecated since v1.14; use ..." of a node label, at a selector's key or a topology key. */
const labelWarning = (key: string | undefined, text: (since: string, use: string) => string): string[] => {
  const found = key === undefined ? undefined : own(nodeLabels, key);
  return found === undefined ? [] : [text(found[0], found[1])];
};

function nodeSelectorTermWarnings(term: AnyObject, path: string): string[] {
  return (term?.matchExpressions ?? []).flatMap((requirement: AnyObject, i: number) =>
    labelWarning(
      requirement.key,
      (since, use) => `${path}.matchExpressions[${i}].key: ${requirement.key} is deprecated since ${since}; use "${use}" instead`,
    ),
  );
}

const volumeWarnings: Readonly<Record<string, readonly [field: string, text: string]>> = {
  photonPersistentDisk: ["photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"],
  gitRepo: ["gitRepo", "deprecated in v1.11, and disabled by default in v1.33+"],
  scaleIO: ["scaleIO", "deprecated in v1.16, non-functional in v1.22+"],
  flocker: ["flocker", "deprecated in v1.22, non-functional in v1.25+"],
  storageos: ["storageOS", "deprecated in v1.22, non-functional in v1.25+"],
  quobyte: ["quobyte", "deprecated in v1.22, non-functional in v1.25+"],
  glusterfs: ["glusterfs", "deprecated in v1.25, non-functional in v1.26+"],
  cephfs: ["cephfs", "deprecated in v1.28, non-functional in v1.31+"],
  rbd: ["rbd", "deprecated in v1.28, non-functional in v1.31+"],
};

const none: readonly string[] = [];

function fractional(list: AnyObject, path: string, name: string): readonly string[] {
  const value = list?.[name];
  return value !== undefined && scaledQuantity(parseQuantity(value), -3) % 1000n !== 0n
    ? [`${path}[${name}]: fractional byte value "${value}" is invalid, must be an integer`]
    : none;
}

/** Of a pod's spec and the metadata beside it. */
function podSpecWarnings(spec: AnyObject, metadata: AnyObject, path: string, metaPath: string): string[] {
  const warnings: string[] = [];
  for (const key of Object.keys(spec.nodeSelector ?? {}).sort())
    warnings.push(
      ...labelWarning(key, (since, use) => `${path}.nodeSelector[${key}]: deprecated since ${since}; use "${use}" instead`),
    );
  const node = spec.affinity?.nodeAffinity;
  const must = "requiredDuringSchedulingIgnoredDuringExecution";
  const may = "preferredDuringSchedulingIgnoredDuringExecution";
  for (const [i, term] of (node?.[must]?.nodeSelectorTerms ?? []).entries())
    warnings.push(...nodeSelectorTermWarnings(term, `${path}.affinity.nodeAffinity.${must}.nodeSelectorTerms[${i}]`));
  for (const [i, term] of (node?.[may] ?? []).entries())
    warnings.push(...nodeSelectorTermWarnings(term.preference, `${path}.affinity.nodeAffinity.${may}[${i}].preference`));
  for (const [i, constraint] of (spec.topologySpreadConstraints ?? []).entries()) {
    const at = `${path}.topologySpreadConstraints[${i}]`;
    warnings.push(
      ...labelWarning(
        constraint.topologyKey,
        (since, use) => `${at}.topologyKey: ${constraint.topologyKey} is deprecated since ${since}; use "${use}" instead`,
      ),
    );
    if (constraint.labelSelector === undefined)
      warnings.push(`${at}.labelSelector: a null labelSelector results in matching no pod`);
  }
  warnings.push(...annotationWarnings(metadata?.annotations ?? {}, metaPath));
  for (const [i, volume] of (spec.volumes ?? []).entries()) warnings.push(...ofVolume(volume, `${path}.volumes[${i}]`));
  for (const volume of spec.volumes ?? []) warnings.push(...overlappingPaths(volume));
  const ips = new Set<string>();
  for (const [i, alias] of (spec.hostAliases ?? []).entries()) {
    if (ips.has(alias.ip)) warnings.push(`${path}.hostAliases[${i}].ip: duplicate ip "${alias.ip}"`);
    ips.add(alias.ip);
  }
  const secrets = new Set<string>();
  for (const [i, secret] of (spec.imagePullSecrets ?? []).entries()) {
    const name = secret.name ?? "";
    if (name !== "" && secrets.has(name)) warnings.push(`${path}.imagePullSecrets[${i}].name: duplicate name "${name}"`);
    secrets.add(name);
  }
  for (const [i, secret] of (spec.imagePullSecrets ?? []).entries())
    if (!secret.name) warnings.push(`${path}.imagePullSecrets[${i}].name: invalid empty name ""`);
  if (spec.terminationGracePeriodSeconds < 0)
    warnings.push(`${path}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1`);
  warnings.push(...containerWarnings(spec, path));
  for (const kind of ["podAffinity", "podAntiAffinity"]) {
    for (const [i, term] of (spec.affinity?.[kind]?.[must] ?? []).entries())
      if (term.labelSelector === undefined)
        warnings.push(`${path}.affinity.${kind}.${must}[${i}].labelSelector: a null labelSelector results in matching no pod`);
    for (const [i, term] of (spec.affinity?.[kind]?.[may] ?? []).entries())
      if (term.podAffinityTerm?.labelSelector === undefined)
        warnings.push(
          `${path}.affinity.${kind}.${may}[${i}].podAffinityTerm.labelSelector: a null labelSelector results in matching no pod`,
        );
  }
  return warnings;
}

const fixedAnnotations: ReadonlyMap<string, string> = new Map(
  Object.entries({
    "scheduler.alpha.kubernetes.io/critical-pod": 'non-functional in v1.16+; use the "priorityClassName" field instead',
    "security.alpha.kubernetes.io/sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
    "security.alpha.kubernetes.io/unsafe-sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
    "seccomp.security.alpha.kubernetes.io/pod": 'non-functional in v1.27+; use the "seccompProfile" field instead',
  }),
);

const appArmorText = 'deprecated since v1.30; use the "appArmorProfile" field instead';

/** Of a new pod's annotations that stand in for the AppArmor profile of a container. */
export function appArmorWarnings({ spec = {}, metadata = {} }: AnyObject): readonly string[] {
  const annotations = metadata.annotations;
  if (annotations === undefined) return none;
  return [...(spec.initContainers ?? []), ...(spec.containers ?? [])]
    .filter(({ name, securityContext }) => {
      const profile = annotations[`${appArmorPrefix}${name}`];
      return profile !== undefined && (securityContext?.appArmorProfile === undefined || appArmorOf(profile) === undefined);
    })
    .map(({ name }) => `metadata.annotations[${appArmorPrefix}${name}]: ${appArmorText}`);
}

function annotationWarnings(annotations: Readonly<Record<string, string>>, path: string): string[] {
  const found: string[] = [];
  // of pods they are told before the annotation sets the field
  const isTold = (key: string): boolean => path === "metadata" && key.startsWith(appArmorPrefix);
  for (const key in annotations) if (annotationWarning(key) !== undefined && !isTold(key)) found.push(key);
  return found.sort().map((key) => `${path}.annotations[${key}]: ${annotationWarning(key)}`);
}

function annotationWarning(key: string): string | undefined {
  const fixed = fixedAnnotations.get(key);
  if (fixed !== undefined) return fixed;
  if (key.startsWith("container.seccomp.security.alpha.kubernetes.io/"))
    return 'non-functional in v1.27+; use the "seccompProfile" field instead';
  if (key.startsWith(appArmorPrefix)) return appArmorText;
  return undefined;
}

function ofVolume(volume: AnyObject, path: string): string[] {
  const warnings: string[] = [];
  for (const kind of Object.keys(volumeWarnings))
    if (volume[kind] !== undefined) warnings.push(`${path}.${volumeWarnings[kind]?.[0]}: ${volumeWarnings[kind]?.[1]}`);
  const claim = volume.ephemeral?.volumeClaimTemplate?.spec;
  if (claim !== undefined)
    warnings.push(
      ...fractional(claim.resources?.requests, `${path}.ephemeral.volumeClaimTemplate.spec.resources.requests`, "storage"),
    );
  return warnings;
}

/** A file of a volume that another one hides. */
function overlappingPaths(volume: AnyObject): string[] {
  const one = (kind: string, items: readonly AnyObject[] | undefined): string[] =>
    overlaps((items ?? []).map(({ path }) => ({ path, source: "" }))).map((text) => `volume "${volume.name}" (${kind}): ${text}`);
  const { configMap, secret, downwardAPI, projected } = volume;
  if (configMap) return one(`ConfigMap "${configMap.name ?? ""}"`, configMap.items);
  if (secret) return one(`Secret "${secret.secretName ?? ""}"`, secret.items);
  if (downwardAPI) return one("DownwardAPI", downwardAPI.items);
  if (!projected) return [];
  return overlaps((projected.sources ?? []).flatMap(projectedPaths)).map(
    (text) => `volume "${volume.name}" (Projected): ${text}`,
  );
}

interface ProjectedPath {
  readonly path: string;
  /** "" in a volume of one source. */
  readonly source: string;
}

function projectedPaths({ configMap, secret, downwardAPI, serviceAccountToken, clusterTrustBundle }: AnyObject): ProjectedPath[] {
  const of = (source: string, items: readonly AnyObject[] | undefined): ProjectedPath[] =>
    (items ?? []).map(({ path }) => ({ path, source }));
  if (configMap) return of(`ConfigMap "${configMap.name ?? ""}"`, configMap.items);
  if (secret) return of(`Secret "${secret.name ?? ""}"`, secret.items);
  if (downwardAPI) return of("DownwardAPI", downwardAPI.items);
  if (serviceAccountToken) return of("ServiceAccountToken", [serviceAccountToken]);
  if (clusterTrustBundle)
    return of(`ClusterTrustBundle "${clusterTrustBundle.signerName ?? clusterTrustBundle.name ?? ""}"`, [clusterTrustBundle]);
  return [];
}

function overlaps(paths: readonly ProjectedPath[]): string[] {
  const shown = ({ path, source }: ProjectedPath): string => `"${path}"${source === "" ? "" : ` (${source})`}`;
  const trimmed = paths.map(({ path, source }) => ({ path: (path ?? "").replace(/\/+$/, ""), source }));
  return trimmed.flatMap((next, i) =>
    trimmed
      .slice(0, i)
      .filter(({ path }) => path === next.path || next.path.startsWith(`${path}/`) || path.startsWith(`${next.path}/`))
      .map((earlier) => `overlapping paths: ${shown(next)} with ${shown(earlier)}`),
  );
}

function containerWarnings(spec: AnyObject, path: string): string[] {
  const warnings: string[] = [];
  for (const list of ["initContainers", "containers"])
    for (const [i, container] of (spec[list] ?? []).entries()) {
      const at = `${path}.${list}[${i}]`;
      for (const name of ["memory", "ephemeral-storage"])
        for (const list of ["limits", "requests"])
          warnings.push(...fractional(container.resources?.[list], `${at}.resources.${list}`, name));
      const names = new Set<string>();
      for (const [e, entry] of (container.env ?? []).entries()) {
        // A variable that builds on the one before is meant so.
        const builds = typeof entry.value === "string" && entry.value.includes(`$(${entry.name})`);
        if (names.has(entry.name) && !builds)
          warnings.push(`${at}.env[${e}]: hides previous definition of "${entry.name}", which may be dropped when using apply`);
        names.add(entry.name);
      }
    }
  return [...warnings, ...portWarnings(spec, path)];
}

function portWarnings(spec: AnyObject, path: string): string[] {
  const warnings: string[] = [];
  const seen: { port: AnyObject; at: string }[] = [];
  for (const list of ["containers", "initContainers"])
    for (const [c, container] of (spec[list] ?? []).entries())
      for (const [p, port] of (container.ports ?? []).entries()) {
        const at = `${path}.${list}[${c}].ports[${p}]`;
        if (port.hostIP && !port.hostPort)
          warnings.push(
            `${at}: hostIP set without hostPort: {Name:${port.name ?? ""} HostPort:0 ContainerPort:${port.containerPort} Protocol:${port.protocol} HostIP:${port.hostIP}}`,
          );
        const twin = seen.find(
          (other) => other.port.containerPort === port.containerPort && other.port.protocol === port.protocol,
        );
        if (twin !== undefined) {
          const same = (twin.port.hostPort ?? 0) === (port.hostPort ?? 0) && (twin.port.hostIP ?? "") === (port.hostIP ?? "");
          const bothHost = (twin.port.hostPort ?? 0) !== 0 && (port.hostPort ?? 0) !== 0;
          if (same) warnings.push(`${at}: duplicate port definition with ${twin.at}`);
          else if (!bothHost) warnings.push(`${at}: overlapping port definition with ${twin.at}`);
        }
        const named = port.name
          ? seen.find((other) => other.port.name === port.name && !other.at.startsWith(`${path}.${list}[${c}].`))
          : undefined;
        if (named !== undefined)
          warnings.push(
            `${at}: duplicate port name "${port.name}" with ${named.at}, services and probes that select ports by name will use ${named.at}`,
          );
        seen.push({ port, at });
      }
  return warnings;
}

export const podWarnings = (pod: AnyObject, old: AnyObject | undefined): readonly string[] => {
  // What an update may change of a pod is not worth a second warning.
  if (old !== undefined) return [];
  return [
    ...nameWarning(pod.metadata?.name ?? "", "the Pod's hostname"),
    ...(known(pod.spec, unremarkable)
      ? annotationWarnings(pod.metadata?.annotations ?? {}, "metadata")
      : podSpecWarnings(pod.spec ?? {}, pod.metadata, "spec", "metadata")),
  ];
};

/** There is nothing to say of the spec by itself. */
const unremarkable = (spec: AnyObject): boolean => podSpecWarnings(spec ?? {}, undefined, "spec", "metadata").length === 0;

/** Names of pods become hostnames. */
const nameWarning = (name: string, where: string): string[] => {
  const problems = isDns1123Label(name);
  return problems.length === 0
    ? []
    : [
        `metadata.name: this is used in ${where}, which can result in surprising behavior; a DNS label is recommended: [${problems.join(" ")}]`,
      ];
};

/** Of a workload: its template, when it is new or changed. */
export const templateWarnings =
  (path: string, named: boolean) =>
  (object: AnyObject, old: AnyObject | undefined): readonly string[] => {
    const template = path.split(".").reduce((value, key) => value?.[key], object);
    const before = old === undefined ? undefined : path.split(".").reduce((value, key) => value?.[key], old);
    if (template === undefined || (old !== undefined && semanticEqual(template, before))) return [];
    return [
      ...(named && old === undefined ? nameWarning(object.metadata?.name ?? "", "Pod names and hostnames") : []),
      ...podSpecWarnings(template.spec ?? {}, template.metadata, `${path}.spec`, `${path}.metadata`),
    ];
  };

export const statefulSetWarnings = (set: AnyObject, old: AnyObject | undefined): readonly string[] => [
  ...templateWarnings("spec.template", false)(set, old),
  ...(set.spec?.revisionHistoryLimit < 0 && (old === undefined || !semanticEqual(set.spec, old.spec))
    ? ["spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended"]
    : []),
];

const classAnnotation = (object: AnyObject): readonly string[] =>
  object.metadata?.annotations?.["volume.beta.kubernetes.io/storage-class"] === undefined
    ? []
    : [
        'metadata.annotations[volume.beta.kubernetes.io/storage-class]: deprecated since v1.8; use "storageClassName" attribute instead',
      ];

export const persistentVolumeWarnings = (volume: AnyObject): readonly string[] => [
  ...classAnnotation(volume),
  ...(volume.spec?.nodeAffinity?.required?.nodeSelectorTerms ?? []).flatMap((term: AnyObject, i: number) =>
    nodeSelectorTermWarnings(term, `spec.nodeAffinity.required.nodeSelectorTerms[${i}]`),
  ),
];

export const csiDriverWarnings = ({ spec = {} }: AnyObject): readonly string[] =>
  (spec.tokenRequests?.length ?? 0) > 0 && spec.serviceAccountTokenInSecrets === undefined
    ? [
        "spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible logging of tokens in volume attributes",
      ]
    : [];

/** A certificate and key that nobody can read are accepted, with a word about it. */
export function secretWarnings(secret: AnyObject): readonly string[] {
  if (secret.type !== "kubernetes.io/tls") return [];
  const hasPem = (key: string): boolean =>
    /-----BEGIN [^-]+-----/.test(Buffer.from(secret.data?.[key] ?? "", "base64").toString("latin1"));
  if (!hasPem("tls.crt")) return ["tls: failed to find any PEM data in certificate input"];
  return hasPem("tls.key") ? [] : ["tls: failed to find any PEM data in key input"];
}

export const claimWarnings = (claim: AnyObject): readonly string[] => [
  ...classAnnotation(claim),
  ...fractional(claim.spec?.resources?.requests, "spec.resources.requests", "storage"),
];

export const serviceAccountWarnings = (account: AnyObject, old: AnyObject | undefined): readonly string[] => {
  const key = "kubernetes.io/enforce-mountable-secrets";
  return account.metadata?.annotations?.[key] === undefined ||
    account.metadata.annotations[key] === old?.metadata?.annotations?.[key]
    ? []
    : [`metadata.annotations[${key}]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets`];
};

export const ingressWarnings = (ingress: AnyObject, old: AnyObject | undefined): readonly string[] =>
  old === undefined &&
  ingress.metadata?.annotations?.["kubernetes.io/ingress.class"] !== undefined &&
  ingress.spec?.ingressClassName === undefined
    ? [`annotation "kubernetes.io/ingress.class" is deprecated, please use 'spec.ingressClassName' instead`]
    : [];

export const endpointSliceWarnings = (slice: AnyObject): readonly string[] =>
  slice.addressType === "FQDN" ? ["spec.addressType: FQDN endpoints are deprecated"] : [];
