// The options of `tiphys up` (design: Surfaces).
import { defineOptions, type OptionValues } from "#base";
import { etcdOptions } from "./etcd.ts";
import { manifestUrlOptions } from "./manifest-url.ts";

export const upOptions = defineOptions({
  dataDir: {
    kind: "string",
    help: "Directory that holds everything the cluster must remember (default /var/lib/tiphys for root, else ~/.tiphys)",
    placeholder: "DIR",
  },
  apiPort: { kind: "integer", default: 6443, help: "Port of the API server; 0 takes any free one" },
  bindAddress: { kind: "string", default: "127.0.0.1", help: "Address on which the API server listens", placeholder: "ADDRESS" },
  kubeletPort: { kind: "integer", default: 10250, help: "Port of the kubelet's server; 0 takes any free one" },
  controllersPort: { kind: "integer", default: 10257, help: "Port on which the controllers show health and metrics" },
  schedulerPort: { kind: "integer", default: 10259, help: "Port on which the scheduler shows health, metrics and its decisions" },
  podManifestPath: { kind: "string", help: "Directory of static pods of the one real node", placeholder: "DIR" },
  ...manifestUrlOptions,
  nodes: {
    kind: "integer",
    help: "Real nodes; more than one are network namespaces of this host (default 1 for root on Linux with containerd, else 0)",
  },
  simNodes: { kind: "integer", help: "Simulated nodes (default 3 where there is no real one)" },
  single: {
    kind: "boolean",
    default: false,
    help: "Exactly one node, without taints: pods run beside the control plane (the default where there is a real node)",
  },
  role: {
    kind: "string",
    default: "worker",
    choices: ["worker", "control-plane"],
    help: "Role of the first node; control-plane gives it kubeadm's labels and the taint that keeps ordinary pods away",
  },
  nodeName: { kind: "string", help: "Name of the real node (default: the host's name)", placeholder: "NAME" },
  store: { kind: "string", default: "disk", choices: ["disk", "memory", "etcd"], help: "Where the cluster's state lives" },
  ...etcdOptions,
  etcdListen: {
    kind: "string",
    help: "Serve etcd's v3 API from the store on this address:port (off by default)",
    placeholder: "ADDRESS:PORT",
  },
  serviceCidr: { kind: "string", default: "10.96.0.0/16", help: "Addresses of Services", placeholder: "CIDR" },
  clusterCidr: { kind: "string", default: "10.244.0.0/16", help: "Addresses of pods", placeholder: "CIDR" },
  cni: {
    kind: "string",
    default: "routes",
    choices: ["routes", "bridge"],
    help: "How pods of several real nodes reach each other: by routes between the nodes, or (bridge) only those of the same node",
  },
  clusterDomain: { kind: "string", default: "cluster.local", help: "DNS zone of the cluster", placeholder: "ZONE" },
  kubeconfig: {
    kind: "string",
    help: "Add the cluster to this kubeconfig (default: $KUBECONFIG or ~/.kube/config, unless --data-dir is given)",
    placeholder: "FILE",
  },
  nodeMonitorGracePeriod: {
    kind: "duration",
    default: 50_000,
    help: "How long a node may be silent before it counts as Unknown",
  },
  readyFile: { kind: "string", help: "Write a JSON file when the API server and the nodes are ready", placeholder: "FILE" },
  keepPods: { kind: "boolean", default: false, help: "Leave pods running when stopping" },
  podMaxPids: {
    kind: "integer",
    default: -1,
    help: "Processes that a pod may have on a node with real containers; -1: as many as the kernel gives",
  },
  keepTerminalSandbox: {
    kind: "boolean",
    default: false,
    help: "Let the sandbox of a finished pod run on until the pod is deleted (upstream stops it)",
  },
  output: { kind: "string", default: "text", choices: ["text", "json"], help: "Form of the banner and of the logs" },
  logLevel: {
    kind: "string",
    default: "warn",
    choices: ["debug", "info", "warn", "error"],
    help: "Least severe log lines to show",
  },
  tokenAuthFile: { kind: "string", help: 'File of static tokens (token,user,uid,"group,group")', placeholder: "FILE" },
  tlsSan: { kind: "list", default: [], help: "Further names of the API server's certificate", placeholder: "NAME" },
});

export type UpOptions = OptionValues<typeof upOptions>;
