// `tiphys dns`: the cluster's DNS server in a process of its own.
import { defineOptions } from "#base";
import { createInformerFactory } from "#client";
import { startDns } from "#dns";
import { publishDns } from "../dns-service.ts";
import { hostResolver } from "../host-facts.ts";
import { administrator } from "../identities.ts";
import { assemble } from "../parts.ts";
import { clientsFromKubeconfig, defineProgram } from "./program.ts";

export const dnsProgram = defineProgram({
  name: "dns",
  summary: "Run the cluster's DNS server in this process, against an API server elsewhere",
  options: defineOptions({
    kubeconfig: { kind: "string", help: "How to reach the API server, as a user who may list services", placeholder: "FILE" },
    bindAddress: { kind: "list", default: ["127.0.0.1"], help: "Addresses on which to answer, where pods reach them" },
    port: { kind: "integer", default: 53, help: "Port on which to answer; 0 takes any free one" },
    clusterDomain: { kind: "string", default: "cluster.local", help: "DNS zone of the cluster", placeholder: "ZONE" },
    forward: { kind: "list", default: [], help: "Resolvers for all other names (default: the host's)", placeholder: "ADDRESS" },
    publish: {
      kind: "string",
      help: "Make the Service kube-system/kube-dns with this cluster IP lead here (the user must be allowed to)",
      placeholder: "ADDRESS",
    },
  }),
  start: async (options, deps) => {
    const { clock, random, files, log } = deps;
    return assemble(deps, async (parts) => {
      const clients = parts.add("clients", await clientsFromKubeconfig(options.kubeconfig, deps, { impersonate: false }));
      const client = clients.clientFor(administrator, "dns");
      const informers = parts.add("informers", createInformerFactory({ client, clock, random, log }));
      const forwardTo = options.forward.length > 0 ? options.forward : (await hostResolver(files)).servers;
      const { bindAddress: addresses, port, clusterDomain: zone } = options;
      const dns = parts.add("dns", await startDns({ addresses, port, zone, forwardTo }, { informers, clock, log }));
      const [address = ""] = addresses;
      await dns.synced;
      log.info("answers", { address, port: dns.port, zone });
      if (options.publish !== undefined) await publishDns(client, { clusterIp: options.publish, address, port: dns.port });
    });
  },
});
