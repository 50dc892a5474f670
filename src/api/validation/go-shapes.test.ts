// A pod as Go prints it inside: recorded from the refusal of a change to a suspended job.
import assert from "node:assert/strict";
import { test } from "node:test";
import { podSpecAsGo, podTemplateAsGo } from "./go-shapes.ts";

const spec = {
  containers: [
    {
      name: "c",
      image: "z",
      resources: { requests: { cpu: "2" } },
      terminationMessagePath: "/dev/termination-log",
      terminationMessagePolicy: "File",
      imagePullPolicy: "Always",
    },
  ],
  restartPolicy: "Never",
  terminationGracePeriodSeconds: 30,
  dnsPolicy: "ClusterFirst",
  nodeSelector: { c: "d" },
  securityContext: {},
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: [{ key: "a", operator: "Exists" }] }],
      },
    },
  },
  schedulerName: "default-scheduler",
  schedulingGates: [{ name: "g" }],
};
const recorded =
  '{"Volumes":null,"InitContainers":null,"Containers":[{"Name":"c","Image":"z","Command":null,"Args":null,"WorkingDir":"","Ports":null,"EnvFrom":null,"Env":null,"Resources":{"Limits":null,"Requests":{"cpu":"2"},"Claims":null},"ResizePolicy":null,"RestartPolicy":null,"RestartPolicyRules":null,"VolumeMounts":null,"VolumeDevices":null,"LivenessProbe":null,"ReadinessProbe":null,"StartupProbe":null,"Lifecycle":null,"TerminationMessagePath":"/dev/termination-log","TerminationMessagePolicy":"File","ImagePullPolicy":"Always","SecurityContext":null,"Stdin":false,"StdinOnce":false,"TTY":false}],"EphemeralContainers":null,"RestartPolicy":"Never","TerminationGracePeriodSeconds":30,"ActiveDeadlineSeconds":null,"DNSPolicy":"ClusterFirst","NodeSelector":{"c":"d"},"ServiceAccountName":"","AutomountServiceAccountToken":null,"NodeName":"","SecurityContext":{"HostNetwork":false,"HostPID":false,"HostIPC":false,"ShareProcessNamespace":null,"HostUsers":null,"SELinuxOptions":null,"WindowsOptions":null,"RunAsUser":null,"RunAsGroup":null,"RunAsNonRoot":null,"SupplementalGroups":null,"SupplementalGroupsPolicy":null,"FSGroup":null,"FSGroupChangePolicy":null,"Sysctls":null,"SeccompProfile":null,"AppArmorProfile":null,"SELinuxChangePolicy":null},"ImagePullSecrets":null,"Hostname":"","Subdomain":"","SetHostnameAsFQDN":null,"Affinity":{"NodeAffinity":{"RequiredDuringSchedulingIgnoredDuringExecution":{"NodeSelectorTerms":[{"MatchExpressions":[{"Key":"a","Operator":"Exists","Values":null}],"MatchFields":null}]},"PreferredDuringSchedulingIgnoredDuringExecution":null},"PodAffinity":null,"PodAntiAffinity":null},"SchedulerName":"default-scheduler","Tolerations":null,"HostAliases":null,"PriorityClassName":"","Priority":null,"PreemptionPolicy":null,"DNSConfig":null,"ReadinessGates":null,"RuntimeClassName":null,"Overhead":null,"EnableServiceLinks":null,"TopologySpreadConstraints":null,"OS":null,"SchedulingGates":[{"Name":"g"}],"ResourceClaims":null,"Resources":null,"HostnameOverride":null,"SchedulingGroup":null}';

test("a pod's spec has upstream's names, order and zero values", () => assert.equal(JSON.stringify(podSpecAsGo(spec)), recorded));

test("a template shows of its metadata what is there, sorted", () =>
  assert.equal(
    JSON.stringify(podTemplateAsGo({ metadata: { labels: { b: "2", a: "1" } }, spec })),
    `{"labels":{"a":"1","b":"2"},"Spec":${recorded}}`,
  ));
