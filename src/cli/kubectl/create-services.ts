// `create service clusterip|nodeport|loadbalancer|externalname`.
import { defineOptions } from "#base";
import { createCommand } from "./create.ts";
import { Failure } from "./failure.ts";
import type { AnyObject } from "./session.ts";

const tcp = {
  kind: "list",
  default: [],
  help: "Ports: PORT or PORT:TARGET",
  placeholder: "PORTS",
} as const;

/** "80", "80:8080", "80:http". */
export function servicePort(text: string, nodePort: number): object {
  const [first = "", second = first, ...more] = text.split(":");
  const port = Number(first);
  if (!/^\d+$/.test(first) || port > 65_535 || more.length > 0 || second === "")
    throw new Failure(`error: invalid --tcp "${text}": PORT or PORT:TARGET is wanted`);
  return {
    name: text.replace(":", "-"),
    port,
    protocol: "TCP",
    targetPort: /^\d+$/.test(second) ? Number(second) : second,
    ...(nodePort > 0 ? { nodePort } : {}),
  };
}

function service(name: string, type: string, ports: readonly string[], more: object, nodePort = 0): AnyObject {
  const labels = { app: name };
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, labels },
    spec: {
      type,
      selector: labels,
      ...(ports.length === 0 ? {} : { ports: ports.map((text) => servicePort(text, nodePort)) }),
      ...more,
    },
    status: { loadBalancer: {} },
  };
}

const needsPorts = (ports: readonly string[]): readonly string[] => {
  if (ports.length === 0) throw new Failure("error: at least one tcp port specifier must be provided");
  return ports;
};

const clusterIp = createCommand({
  name: "service clusterip",
  noun: "ClusterIP service",
  aliases: ["svc clusterip"],
  usage: "NAME --tcp=PORT:TARGET",
  summary: "Make a service of type ClusterIP",
  options: defineOptions({ tcp, clusterip: { kind: "string", help: "Its address, or None", placeholder: "ADDRESS" } }),
  namespaced: true,
  object: (name, { options: { tcp, clusterip } }) =>
    service(
      name,
      "ClusterIP",
      clusterip === "None" ? tcp : needsPorts(tcp),
      clusterip === undefined ? {} : { clusterIP: clusterip },
    ),
});

const nodePort = createCommand({
  name: "service nodeport",
  noun: "NodePort service",
  aliases: ["svc nodeport"],
  usage: "NAME --tcp=PORT:TARGET",
  summary: "Make a service of type NodePort",
  options: defineOptions({ tcp, nodePort: { kind: "integer", default: 0, help: "Port on the nodes (0: any)" } }),
  namespaced: true,
  object: (name, { options: { tcp, nodePort } }) => service(name, "NodePort", needsPorts(tcp), {}, nodePort),
});

const loadBalancer = createCommand({
  name: "service loadbalancer",
  noun: "LoadBalancer service",
  aliases: ["svc loadbalancer"],
  usage: "NAME --tcp=PORT:TARGET",
  summary: "Make a service of type LoadBalancer",
  options: defineOptions({ tcp }),
  namespaced: true,
  object: (name, { options: { tcp } }) => service(name, "LoadBalancer", needsPorts(tcp), {}),
});

const externalName = createCommand({
  name: "service externalname",
  noun: "ExternalName service",
  aliases: ["svc externalname"],
  usage: "NAME --external-name=DNS-NAME",
  summary: "Make a service of type ExternalName",
  options: defineOptions({ tcp, externalName: { kind: "string", help: "The name that it stands for", placeholder: "DNS-NAME" } }),
  namespaced: true,
  object: (name, { options: { tcp, externalName } }) => {
    if (externalName === undefined) throw new Failure('error: required flag(s) "external-name" not set');
    return service(name, "ExternalName", tcp, { externalName });
  },
});

export const createServices = [clusterIp, nodePort, loadBalancer, externalName];
