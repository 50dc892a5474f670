// `tiphys kubelet`: a node with real containers in a process of its own: kubelet, its containerd, the pod network, and the service proxy beside it.
import { defineOptions } from "#base";
import { manifestUrlOf, manifestUrlOptions } from "../manifest-url.ts";
import { assemble } from "../parts.ts";
import { startRealNode } from "../real-node.ts";
import { parseTaint } from "../taints.ts";
import { clientsFromKubeconfig, defineProgram } from "./program.ts";

export const kubeletProgram = defineProgram({
  name: "kubelet",
  summary: "Run a node with real containers in this process, against an API server elsewhere",
  options: defineOptions({
    kubeconfig: { kind: "string", help: "How to reach the API server, as system:node:<name>", placeholder: "FILE" },
    proxyKubeconfig: {
      kind: "string",
      help: "How the service proxy reaches it, as system:kube-proxy; absent: no proxy",
      placeholder: "FILE",
    },
    hostnameOverride: { kind: "string", help: "Name of the node (default: the host's name)", placeholder: "NAME" },
    nodeIp: { kind: "string", help: "The node's own address", placeholder: "ADDRESS" },
    rootDir: {
      kind: "string",
      default: "/var/lib/tiphys/kubelet",
      help: "Directory of the node's containers, volumes and logs",
      placeholder: "DIR",
    },
    clusterCidr: { kind: "string", default: "10.244.0.0/16", help: "Addresses of pods", placeholder: "CIDR" },
    clusterDns: { kind: "string", default: "10.96.0.10", help: "Address of the DNS Service", placeholder: "ADDRESS" },
    clusterDomain: { kind: "string", default: "cluster.local", help: "DNS zone of the cluster", placeholder: "ZONE" },
    bridge: { kind: "string", default: "tiphys0", help: "Bridge to which pods are attached", placeholder: "NAME" },
    port: { kind: "integer", default: 10250, help: "Port of the kubelet's server; 0 takes any free one" },
    tlsCertFile: { kind: "string", help: "Certificate of the kubelet's server", placeholder: "FILE" },
    tlsPrivateKeyFile: { kind: "string", help: "Key of the kubelet's server", placeholder: "FILE" },
    clientCaFile: { kind: "string", help: "Authority of the kubelet server's clients", placeholder: "FILE" },
    podManifestPath: { kind: "string", help: "Directory of static pods", placeholder: "DIR" },
    ...manifestUrlOptions,
    podMaxPids: { kind: "integer", default: -1, help: "Processes that a pod may have; -1: as many as the kernel gives" },
    keepTerminalSandbox: {
      kind: "boolean",
      default: false,
      help: "Let the sandbox of a finished pod run on until the pod is deleted",
    },
    registerWithTaints: {
      kind: "list",
      default: [],
      help: "Taints with which the node registers",
      placeholder: "KEY=VALUE:EFFECT",
    },
    keepPods: { kind: "boolean", default: false, help: "Leave pods running when stopping" },
  }),
  start: async (options, deps) => {
    const { files } = deps;
    const { nodeIp, tlsCertFile, tlsPrivateKeyFile, clientCaFile } = options;
    if (nodeIp === undefined || tlsCertFile === undefined || tlsPrivateKeyFile === undefined || clientCaFile === undefined) {
      throw new Error(
        "Cannot start the kubelet: --node-ip, --tls-cert-file, --tls-private-key-file and --client-ca-file are needed",
      );
    }
    const [certificate, key, clientCa] = await Promise.all(
      [tlsCertFile, tlsPrivateKeyFile, clientCaFile].map(async (path) => (await files.read(path)).toString()),
    );
    return assemble(deps, async (parts) => {
      const own = parts.add("clients", await clientsFromKubeconfig(options.kubeconfig, deps, { impersonate: false }));
      const proxy =
        options.proxyKubeconfig === undefined
          ? undefined
          : parts.add("proxy clients", await clientsFromKubeconfig(options.proxyKubeconfig, deps, { impersonate: false }));
      parts.add(
        "node",
        await startRealNode(
          {
            name: options.hostnameOverride ?? deps.hostname,
            address: nodeIp,
            directory: options.rootDir,
            clusterCidr: options.clusterCidr,
            clusterDomain: options.clusterDomain,
            clusterDns: options.clusterDns,
            bridge: options.bridge,
            kubeletPort: options.port,
            serving: { certificate: certificate ?? "", key: key ?? "" },
            clientCa: clientCa ?? "",
            keepPods: options.keepPods,
            podMaxPids: options.podMaxPids,
            keepTerminalSandbox: options.keepTerminalSandbox,
            taints: options.registerWithTaints.map(parseTaint),
            withProxy: proxy !== undefined,
            staticPodDirectory: options.podManifestPath,
            staticPodUrl: manifestUrlOf(options),
          },
          {
            ...deps,
            clientFor: (user, userAgent) =>
              (userAgent === "kube-proxy" && proxy !== undefined ? proxy : own).clientFor(user, userAgent),
          },
        ),
      );
    });
  },
});
