// Values in the words of upstream's own types (capital names, every field written): what messages show of a spec that may not change.
import { own } from "#base";
import type { AnyObject } from "../rules.ts";

/**
 * Types by name: their fields in order. A field is "Name" (nothing is null), "Name!" (a text), "Name?" (a truth), "Name#" (a number),
 * "Name>Type" (a struct), "Name*Type" (a pointer to one), "Name[]Type" (a list of them); "Name=json" where the name in JSON is not the same
 * with a small first letter. Values of types that are not here are shown field by field as they are.
 */
const types: Readonly<Record<string, string>> = {
  PodSpec:
    "Volumes[]Volume InitContainers[]Container Containers[]Container EphemeralContainers[]EphemeralContainer RestartPolicy! TerminationGracePeriodSeconds ActiveDeadlineSeconds DNSPolicy=dnsPolicy! NodeSelector ServiceAccountName! AutomountServiceAccountToken NodeName! SecurityContext*PodSecurityContext ImagePullSecrets[]Named Hostname! Subdomain! SetHostnameAsFQDN Affinity*Affinity SchedulerName! Tolerations[]Toleration HostAliases[]HostAlias PriorityClassName! Priority PreemptionPolicy DNSConfig=dnsConfig*DNSConfig ReadinessGates[]ReadinessGate RuntimeClassName Overhead EnableServiceLinks TopologySpreadConstraints[]Spread OS=os*OS SchedulingGates[]Named ResourceClaims[]PodClaim Resources*Resources HostnameOverride SchedulingGroup",
  Container:
    "Name! Image! Command Args WorkingDir! Ports[]Port EnvFrom[]EnvFrom Env[]Env Resources>Resources ResizePolicy[]Resize RestartPolicy RestartPolicyRules[]Rule VolumeMounts[]Mount VolumeDevices[]Device LivenessProbe*Probe ReadinessProbe*Probe StartupProbe*Probe Lifecycle*Lifecycle TerminationMessagePath! TerminationMessagePolicy! ImagePullPolicy! SecurityContext*SecurityContext Stdin? StdinOnce? TTY=tty?",
  EphemeralContainer:
    "Name! Image! Command Args WorkingDir! Ports[]Port EnvFrom[]EnvFrom Env[]Env Resources>Resources ResizePolicy[]Resize RestartPolicy RestartPolicyRules[]Rule VolumeMounts[]Mount VolumeDevices[]Device LivenessProbe*Probe ReadinessProbe*Probe StartupProbe*Probe Lifecycle*Lifecycle TerminationMessagePath! TerminationMessagePolicy! ImagePullPolicy! SecurityContext*SecurityContext Stdin? StdinOnce? TTY=tty? TargetContainerName!",
  PodSecurityContext:
    "HostNetwork? HostPID=hostPID? HostIPC=hostIPC? ShareProcessNamespace HostUsers SELinuxOptions=seLinuxOptions*SELinux WindowsOptions*Windows RunAsUser RunAsGroup RunAsNonRoot SupplementalGroups SupplementalGroupsPolicy FSGroup=fsGroup FSGroupChangePolicy=fsGroupChangePolicy Sysctls[]Sysctl SeccompProfile*Profile AppArmorProfile*Profile SELinuxChangePolicy=seLinuxChangePolicy",
  SecurityContext:
    "Capabilities*Capabilities Privileged SELinuxOptions=seLinuxOptions*SELinux WindowsOptions*Windows RunAsUser RunAsGroup RunAsNonRoot ReadOnlyRootFilesystem AllowPrivilegeEscalation ProcMount SeccompProfile*Profile AppArmorProfile*Profile",
  Capabilities: "Add Drop",
  SELinux: "User! Role! Type! Level!",
  Windows: "GMSACredentialSpecName=gmsaCredentialSpecName GMSACredentialSpec=gmsaCredentialSpec RunAsUserName HostProcess",
  Sysctl: "Name! Value!",
  Profile: "Type! LocalhostProfile",
  Named: "Name!",
  Port: "Name! HostPort# ContainerPort# Protocol! HostIP=hostIP!",
  EnvFrom: "Prefix! ConfigMapRef*Reference SecretRef*Reference",
  Reference: "Name! Optional",
  Env: "Name! Value! ValueFrom*ValueFrom",
  ValueFrom: "FieldRef*FieldRef ResourceFieldRef*ResourceRef ConfigMapKeyRef*KeyRef SecretKeyRef*KeyRef FileKeyRef*FileRef",
  FieldRef: "APIVersion=apiVersion! FieldPath!",
  ResourceRef: "ContainerName! Resource! Divisor",
  KeyRef: "Name! Key! Optional",
  FileRef: "VolumeName! Path! Key! Optional",
  Resources: "Limits Requests Claims[]Claim",
  Claim: "Name! Request!",
  Resize: "ResourceName! RestartPolicy!",
  Rule: "Action! ExitCodes*ExitCodes",
  ExitCodes: "Operator! Values",
  Mount: "Name! ReadOnly? RecursiveReadOnly MountPath! SubPath! MountPropagation SubPathExpr!",
  Device: "Name! DevicePath!",
  Probe:
    "Exec*Exec HTTPGet=httpGet*HTTPGet TCPSocket=tcpSocket*TCPSocket GRPC=grpc*GRPC InitialDelaySeconds# TimeoutSeconds# PeriodSeconds# SuccessThreshold# FailureThreshold# TerminationGracePeriodSeconds",
  Lifecycle: "PostStart*Handler PreStop*Handler StopSignal",
  Handler: "Exec*Exec HTTPGet=httpGet*HTTPGet TCPSocket=tcpSocket*TCPSocket Sleep*Sleep",
  Exec: "Command",
  HTTPGet: "Path! Port Host! Scheme! HTTPHeaders=httpHeaders[]Sysctl",
  TCPSocket: "Port Host!",
  GRPC: "Port# Service",
  Sleep: "Seconds#",
  Affinity: "NodeAffinity*NodeAffinity PodAffinity*PodAffinity PodAntiAffinity*PodAffinity",
  NodeAffinity:
    "RequiredDuringSchedulingIgnoredDuringExecution*NodeSelector PreferredDuringSchedulingIgnoredDuringExecution[]PreferredNode",
  NodeSelector: "NodeSelectorTerms[]NodeTerm",
  NodeTerm: "MatchExpressions[]Requirement MatchFields[]Requirement",
  Requirement: "Key! Operator! Values",
  PreferredNode: "Weight# Preference>NodeTerm",
  PodAffinity:
    "RequiredDuringSchedulingIgnoredDuringExecution[]PodTerm PreferredDuringSchedulingIgnoredDuringExecution[]PreferredPod",
  PodTerm: "LabelSelector Namespaces TopologyKey! NamespaceSelector MatchLabelKeys MismatchLabelKeys",
  PreferredPod: "Weight# PodAffinityTerm>PodTerm",
  Toleration: "Key! Operator! Value! Effect! TolerationSeconds",
  HostAlias: "IP=ip! Hostnames",
  DNSConfig: "Nameservers Searches Options[]DNSOption",
  DNSOption: "Name! Value",
  ReadinessGate: "ConditionType!",
  Spread: "MaxSkew# TopologyKey! WhenUnsatisfiable! LabelSelector MinDomains NodeAffinityPolicy NodeTaintsPolicy MatchLabelKeys",
  OS: "Name!",
  PodClaim: "Name! ResourceClaimName ResourceClaimTemplateName",
  Volume:
    "Name! HostPath EmptyDir GCEPersistentDisk=gcePersistentDisk AWSElasticBlockStore=awsElasticBlockStore GitRepo Secret NFS=nfs*NFS ISCSI=iscsi Glusterfs PersistentVolumeClaim RBD=rbd Quobyte FlexVolume Cinder CephFS=cephfs Flocker DownwardAPI=downwardAPI FC=fc AzureFile ConfigMap VsphereVolume AzureDisk PhotonPersistentDisk Projected PortworxVolume ScaleIO=scaleIO StorageOS=storageos CSI=csi Ephemeral Image",
  ClaimSpec:
    "AccessModes Selector Resources>ClaimResources VolumeName! StorageClassName VolumeMode DataSource*DataSource DataSourceRef*DataSourceRef VolumeAttributesClassName",
  ClaimResources: "Limits Requests",
  DataSource: "APIGroup=apiGroup Kind! Name!",
  DataSourceRef: "APIGroup=apiGroup Kind! Name! Namespace",
  VolumeSource:
    "GCEPersistentDisk=gcePersistentDisk AWSElasticBlockStore=awsElasticBlockStore HostPath*HostPath Glusterfs NFS=nfs*NFS RBD=rbd Quobyte ISCSI=iscsi FlexVolume Cinder CephFS=cephfs FC=fc Flocker AzureFile VsphereVolume AzureDisk PhotonPersistentDisk PortworxVolume ScaleIO=scaleIO Local StorageOS=storageos CSI=csi",
  VolumeNodeAffinity: "Required*NodeSelector",
  HostPath: "Path! Type",
  NFS: "Server! Path! ReadOnly?",
};

interface GoField {
  readonly name: string;
  readonly json: string;
  readonly mark: string;
  readonly type: string;
}

const parsed = new Map<string, readonly GoField[]>();

function fieldsOf(type: string): readonly GoField[] | undefined {
  const known = parsed.get(type);
  const text = own(types, type);
  if (known !== undefined || text === undefined) return known;
  const fields = text.split(" ").map((word): GoField => {
    const [, name = "", json, mark = "", inner = ""] = /^(\w+)(?:=(\w+))?(!|\?|#|>|\*|\[\])?(\w*)$/.exec(word) ?? [];
    return { name, json: json ?? `${name.charAt(0).toLowerCase()}${name.slice(1)}`, mark, type: inner };
  });
  parsed.set(type, fields);
  return fields;
}

const zeros: Readonly<Record<string, unknown>> = { "!": "", "?": false, "#": 0 };

/** A value of a type of the table. */
export function asGo(type: string, value: AnyObject): unknown {
  const fields = fieldsOf(type);
  if (fields === undefined) return value;
  return Object.fromEntries(
    fields.map(({ name, json, mark, type: inner }) => {
      const item = value?.[json] ?? undefined;
      if (mark === ">") return [name, asGo(inner, item ?? {})];
      if (item === undefined) return [name, zeros[mark] ?? null];
      if (mark === "[]") return [name, item.map((each: AnyObject) => asGo(inner, each))];
      if (mark === "*") return [name, asGo(inner, item)];
      return [name, bare(item)];
    }),
  );
}

/** Maps in the order of their keys, as Go writes them. */
function bare(value: AnyObject): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, bare(value[key])]),
  );
}

/** Inside, what a pod shares with its host is part of the security context. */
export const podSpecAsGo = (spec: AnyObject): unknown => {
  const { hostNetwork, hostPID, hostIPC, shareProcessNamespace, hostUsers } = spec;
  const securityContext =
    spec.securityContext === undefined
      ? undefined
      : { ...spec.securityContext, hostNetwork, hostPID, hostIPC, shareProcessNamespace, hostUsers };
  return asGo("PodSpec", { ...spec, securityContext });
};

export const podTemplateAsGo = ({ metadata = {}, spec = {} }: AnyObject): unknown => {
  const { name, generateName, namespace, labels, annotations, finalizers } = metadata;
  const shown = { name, generateName, namespace, labels: bare(labels), annotations: bare(annotations), finalizers };
  return { ...Object.fromEntries(Object.entries(shown).filter(([, value]) => value !== undefined)), Spec: podSpecAsGo(spec) };
};
