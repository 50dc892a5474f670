// `tiphys kubelet`: a node with real containers in a process of its own: kubelet, its containerd, the pod network, and service proxy and network policies beside it.
import { defineOptions, namesOf } from "#base";
import { nodeSubject, renewCertificate, servingFile, servingUsages } from "#kubelet";
import { proxy as proxyIdentity } from "../identities.ts";
import { manifestUrlOf, manifestUrlOptions } from "../manifest-url.ts";
import { assemble } from "../parts.ts";
import { startRealNode } from "../real-node.ts";
import { parseTaint } from "../taints.ts";
import { nodeClients } from "./node-clients.ts";
import { clientsFromKubeconfig, defineProgram, type ProgramDeps } from "./program.ts";
import { servingCertificate } from "./serving-certificate.ts";

export const kubeletProgram = defineProgram({
  name: "kubelet",
  summary: "Run a node with real containers in this process, against an API server elsewhere",
  options: defineOptions({
    kubeconfig: { kind: "string", help: "How to reach the API server, as system:node:<name>", placeholder: "FILE" },
    bootstrapKubeconfig: {
      kind: "string",
      help: "How to ask for a certificate where --kubeconfig is missing or has ended; --kubeconfig is written with it",
      placeholder: "FILE",
    },
    certDir: {
      kind: "string",
      help: "Directory of the kubelet's certificates (default: pki under --root-dir)",
      placeholder: "DIR",
    },
    rotateCertificates: { kind: "boolean", default: true, help: "Renew the client certificate of --cert-dir before it ends" },
    rotateServerCertificates: {
      kind: "boolean",
      default: false,
      help: "Have the server's certificate signed by the cluster, and renewed; somebody must approve it each time",
    },
    proxyKubeconfig: {
      kind: "string",
      help: "How service proxy and network policies reach it, as system:kube-proxy; absent: neither",
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
    containerRuntimeEndpoint: {
      kind: "string",
      help: "CRI socket of a container runtime that is there already, with its own pod network (default: a containerd of our own)",
      placeholder: "ENDPOINT",
    },
    bridge: { kind: "string", default: "tiphys0", help: "Bridge to which pods are attached", placeholder: "NAME" },
    port: { kind: "integer", default: 10250, help: "Port of the kubelet's server; 0 takes any free one" },
    tlsCertFile: {
      kind: "string",
      help: "Certificate of the kubelet's server (default: one made at the first start)",
      placeholder: "FILE",
    },
    tlsPrivateKeyFile: { kind: "string", help: "Key of the kubelet's server", placeholder: "FILE" },
    clientCaFile: {
      kind: "string",
      help: "Authority of the kubelet server's clients (default: the one that --kubeconfig trusts)",
      placeholder: "FILE",
    },
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
    const { nodeIp, kubeconfig } = options;
    if (nodeIp === undefined) throw new Error("Cannot start the kubelet: --node-ip is needed");
    if (kubeconfig === undefined) throw new Error("Cannot reach an API server: --kubeconfig is missing");
    const name = options.hostnameOverride ?? deps.hostname;
    const certificateDirectory = options.certDir ?? `${options.rootDir}/pki`;
    return assemble(deps, async (parts) => {
      const { bootstrapKubeconfig, rotateCertificates: rotate } = options;
      const own = parts.add(
        "clients",
        await nodeClients({ nodeName: name, kubeconfig, bootstrapKubeconfig, certificateDirectory, rotate }, deps),
      );
      const files = { ...options, certificateDirectory };
      const serving = await servingCertificate(files, { nodeName: name, address: nodeIp }, deps);
      const proxy =
        options.proxyKubeconfig === undefined
          ? undefined
          : parts.add("proxy clients", await clientsFromKubeconfig(options.proxyKubeconfig, deps, { impersonate: false }));
      const node = parts.add(
        "node",
        await startRealNode(
          {
            name,
            address: nodeIp,
            directory: options.rootDir,
            clusterCidr: options.clusterCidr,
            clusterDomain: options.clusterDomain,
            clusterDns: options.clusterDns,
            bridge: options.bridge,
            runtimeEndpoint: options.containerRuntimeEndpoint,
            kubeletPort: options.port,
            serving,
            clientCa: await clientAuthority(options.clientCaFile, own.access.ca, deps),
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
              user === proxyIdentity && proxy !== undefined ? proxy.clientFor(user, userAgent) : own.clientFor(userAgent),
          },
        ),
      );
      if (options.rotateServerCertificates)
        parts.add(
          "serving certificate",
          await renewCertificate(
            {
              file: servingFile(certificateDirectory),
              ask: {
                signerName: "kubernetes.io/kubelet-serving",
                usages: servingUsages,
                subject: nodeSubject(name),
                names: namesOf([name, nodeIp]),
              },
              onRenewed: node.setServingCertificate,
            },
            { ...deps, client: own.clientFor("kubelet") },
          ),
        );
    });
  },
});

const authorityWanted = "Cannot start the kubelet: --client-ca-file is needed, as the kubeconfig names no authority";

async function clientAuthority(
  path: string | undefined,
  trusted: string | Buffer | undefined,
  { files }: ProgramDeps,
): Promise<string> {
  if (path !== undefined) return (await files.read(path)).toString();
  if (trusted === undefined) throw new Error(authorityWanted);
  return trusted.toString();
}
