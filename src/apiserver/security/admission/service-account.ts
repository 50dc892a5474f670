// ServiceAccount: gives every pod an account, its token volume and its image pull secrets.
import {
  type Container,
  derived,
  type Pod,
  type PodSpec,
  pods,
  type ServiceAccount,
  type Stored,
  serviceAccounts,
  type Volume,
} from "#api";
import { type Random, randomSuffix } from "#base";
import type { AdmissionContext, AdmissionPlugin } from "../../contract.ts";
import type { AdmissionDeps } from "./plugins.ts";
import { isResource, isSubresource, mirrorAnnotation, refuse } from "./support.ts";

const mountPath = "/var/run/secrets/kubernetes.io/serviceaccount";
const volumePrefix = "kube-api-access-";

export function serviceAccount({ reader, random }: AdmissionDeps): AdmissionPlugin {
  const accountOf = (pod: Pod, name: string, context: AdmissionContext): Stored<ServiceAccount> => {
    const account = reader.get<ServiceAccount>(serviceAccounts, { namespace: context.namespace, name });
    if (account === undefined) {
      throw refuse(
        context,
        pod,
        `error looking up service account ${context.namespace}/${name}: serviceaccount ${JSON.stringify(name)} not found`,
      );
    }
    return account;
  };
  // Pods that share a spec share its token volume too, name included: it has to be unique within a pod.
  const tokened = (spec: PodSpec): PodSpec => withToken(spec, random);
  return {
    name: "ServiceAccount",
    mutate: (object, context) => {
      if (context.operation !== "CREATE" || !isResource(context, pods)) return object;
      const pod = object as Pod; // the resource's objects
      if (pod.spec === undefined || isMirror(pod)) return object;
      const given = pod.spec.serviceAccountName ?? "";
      const name = given === "" ? defaultAccount : given;
      const account = accountOf(pod, name, context);
      let spec: PodSpec = given === "" ? derived(pod.spec, inDefaultAccount) : pod.spec;
      if (spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true) spec = derived(spec, tokened);
      if ((spec.imagePullSecrets ?? []).length === 0 && (account.imagePullSecrets ?? []).length > 0) {
        spec = { ...spec, imagePullSecrets: account.imagePullSecrets?.map(({ name: secret }) => ({ name: secret })) };
      }
      return spec === pod.spec ? pod : { ...pod, spec };
    },
    validate: (object, context) => {
      const isNew = context.operation === "CREATE" && isResource(context, pods);
      if (!isNew && !(context.operation === "UPDATE" && isSubresource(context, pods, "ephemeralcontainers"))) return;
      const pod = object as Pod; // the resource's objects
      if (pod.spec === undefined) return;
      if (isMirror(pod)) return refuseMirror(pod, context);
      const name = pod.spec.serviceAccountName ?? "";
      if (name === "")
        throw refuse(context, pod, `no service account specified for pod ${context.namespace}/${pod.metadata.name ?? ""}`);
      const account = accountOf(pod, name, context);
      if (account.metadata.annotations?.["kubernetes.io/enforce-mountable-secrets"] === "true") {
        const refused = unlistedSecret(pod.spec, account);
        if (refused !== undefined) throw refuse(context, pod, refused);
      }
    },
  };
}

const defaultAccount = "default";
const inDefaultAccount = (spec: PodSpec): PodSpec => ({
  ...spec,
  serviceAccountName: defaultAccount,
  serviceAccount: defaultAccount,
});

const isMirror = (pod: Pod): boolean => pod.metadata.annotations?.[mirrorAnnotation] !== undefined;

function refuseMirror(pod: Pod, context: AdmissionContext): void {
  const spec = pod.spec;
  if ((spec?.serviceAccountName ?? "") !== "") throw refuse(context, pod, "a mirror pod may not reference service accounts");
  for (const volume of spec?.volumes ?? []) {
    if (volume.secret !== undefined) throw refuse(context, pod, "a mirror pod may not reference secrets");
    if (volume.projected?.sources?.some((source) => source.serviceAccountToken !== undefined)) {
      throw refuse(context, pod, "a mirror pod may not use ServiceAccountToken volume projections");
    }
  }
}

function withToken(spec: PodSpec, random: Random): PodSpec {
  const existing = spec.volumes?.find((volume) => volume.projected !== undefined && volume.name.startsWith(volumePrefix))?.name;
  const name = existing ?? newVolumeName(spec, random);
  let isUsed = false;
  const mounted = (container: Container): Container => {
    if (container.volumeMounts?.some((mount) => mount.mountPath === mountPath)) return container;
    isUsed = true;
    return { ...container, volumeMounts: [...(container.volumeMounts ?? []), { name, readOnly: true, mountPath }] };
  };
  // null until validation has refused it
  const containers = (spec.containers as readonly Container[] | null)?.map(mounted) ?? [];
  const initContainers = spec.initContainers?.map(mounted);
  if (!isUsed) return spec;
  const volumes = existing === undefined ? [...(spec.volumes ?? []), tokenVolume(name)] : spec.volumes;
  return {
    ...spec,
    containers,
    ...(initContainers === undefined ? {} : { initContainers }),
    ...(volumes === undefined ? {} : { volumes }),
  };
}

function newVolumeName(spec: PodSpec, random: Random): string {
  for (;;) {
    const name = volumePrefix + randomSuffix(random);
    if (!spec.volumes?.some((volume) => volume.name === name)) return name;
  }
}

const tokenVolume = (name: string): Volume => ({
  name,
  projected: {
    sources: [
      // An odd number of seconds tells the token issuer that this client renews (KEP-1205).
      { serviceAccountToken: { expirationSeconds: 3607, path: "token" } },
      { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
      { downwardAPI: { items: [{ path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } }] } },
    ],
    defaultMode: 0o644,
  },
});

/** Why the pod may not have a secret that its account does not list; undefined when all are listed. */
function unlistedSecret(spec: PodSpec, account: Stored<ServiceAccount>): string | undefined {
  const mountable = new Set((account.secrets ?? []).map((secret) => secret.name));
  const because = `is not allowed because service account ${account.metadata.name} does not reference that`;
  const unlisted = (secret: string | undefined): secret is string =>
    secret !== undefined && secret !== "" && !mountable.has(secret);
  for (const volume of spec.volumes ?? []) {
    const secret = volume.secret?.secretName;
    if (unlisted(secret)) return `volume with secret.secretName=${JSON.stringify(secret)} ${because} secret`;
  }
  const lists: readonly (readonly [string, readonly Container[] | undefined])[] = [
    ["init container", spec.initContainers],
    ["container", spec.containers],
    ["ephemeral container", spec.ephemeralContainers as readonly Container[] | undefined], // has what is read here
  ];
  for (const [kind, containers] of lists) {
    for (const container of containers ?? []) {
      for (const source of container.envFrom ?? []) {
        const secret = source.secretRef?.name;
        if (unlisted(secret))
          return `${kind} ${container.name} with envFrom referencing secret.secretName=${JSON.stringify(secret)} ${because} secret`;
      }
      for (const variable of container.env ?? []) {
        const secret = variable.valueFrom?.secretKeyRef?.name;
        if (unlisted(secret)) {
          return `${kind} ${container.name} with envVar ${variable.name} referencing secret.secretName=${JSON.stringify(secret)} ${because} secret`;
        }
      }
    }
  }
  const pullable = new Set((account.imagePullSecrets ?? []).map((secret) => secret.name));
  for (const [index, { name }] of (spec.imagePullSecrets ?? []).entries()) {
    if (!pullable.has(name)) return `imagePullSecrets[${index}].name=${JSON.stringify(name)} ${because} imagePullSecret`;
  }
  return undefined;
}
