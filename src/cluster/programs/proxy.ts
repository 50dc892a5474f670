// `tiphys kube-proxy`: the service proxy of this host (or network namespace) in a process of its own.
import { defineOptions } from "#base";
import { createInformerFactory } from "#client";
import { cleanUpProxy, startProxy } from "#proxy";
import { proxy } from "../identities.ts";
import { assemble } from "../parts.ts";
import { clientsFromKubeconfig, defineProgram } from "./program.ts";

const endpointOf = (text: string, flag: string): { readonly address: string; readonly port: number } | undefined => {
  if (text === "") return undefined;
  const [, address, port] = /^\[?(.+?)\]?:(\d+)$/.exec(text) ?? [];
  if (address === undefined) throw new Error(`Cannot start the proxy: ${flag} "${text}" is not ADDRESS:PORT`);
  return { address, port: Number(port) };
};

export const proxyProgram = defineProgram({
  name: "kube-proxy",
  summary: "Run the service proxy in this process, against an API server elsewhere",
  options: defineOptions({
    kubeconfig: { kind: "string", help: "How to reach the API server, as system:kube-proxy", placeholder: "FILE" },
    proxyMode: { kind: "string", default: "nftables", help: "How services are built into the kernel", placeholder: "MODE" },
    hostnameOverride: { kind: "string", help: "Name of the node (default: the host's name)", placeholder: "NAME" },
    nodeIp: { kind: "list", default: [], help: "Addresses of the node", placeholder: "ADDRESS" },
    clusterCidr: { kind: "string", default: "10.244.0.0/16", help: "Addresses of pods", placeholder: "CIDR" },
    nodeportAddresses: { kind: "list", default: [], help: "Ranges of addresses that answer node ports (default: all)" },
    healthzBindAddress: {
      kind: "string",
      default: "0.0.0.0:10256",
      help: "Where health is shown; empty: nowhere",
      placeholder: "ADDRESS:PORT",
    },
    metricsBindAddress: {
      kind: "string",
      default: "127.0.0.1:10249",
      help: "Where the mode is shown; empty: nowhere",
      placeholder: "ADDRESS:PORT",
    },
    cleanup: { kind: "boolean", default: false, help: "Remove the rules and end" },
  }),
  start: async (options, deps) => {
    const { clock, random, processes, log } = deps;
    if (options.cleanup) {
      await cleanUpProxy({}, { processes });
      return undefined;
    }
    const healthz = endpointOf(options.healthzBindAddress, "--healthz-bind-address");
    const status = endpointOf(options.metricsBindAddress, "--metrics-bind-address");
    return assemble(deps, async (parts) => {
      const clients = parts.add("clients", await clientsFromKubeconfig(options.kubeconfig, deps, { impersonate: false }));
      const informers = createInformerFactory({ client: clients.clientFor(proxy, "kube-proxy"), clock, random, log });
      const running = await startProxy(
        {
          mode: options.proxyMode,
          nodeName: options.hostnameOverride ?? deps.hostname,
          nodeIps: options.nodeIp,
          clusterCidr: options.clusterCidr,
          ...(options.nodeportAddresses.length === 0 ? {} : { nodePortAddresses: options.nodeportAddresses }),
          ...(healthz === undefined ? {} : { healthz }),
          ...(status === undefined ? {} : { status }),
          // as upstream: services go on answering while the proxy is replaced; --cleanup removes the rules
          keepRules: true,
        },
        { informers, clock, processes, log },
      );
      informers.start();
      parts.add("informers", informers);
      parts.add("proxy", running);
      await running.synced();
    });
  },
});
