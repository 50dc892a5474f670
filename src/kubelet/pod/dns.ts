// Host name and resolver of a pod.
import type { Pod } from "#api";
import type { KubeletOptions } from "../options.ts";
import type { SandboxConfig } from "../runtime.ts";
import { isHostNetwork } from "./spec.ts";

export const clusterDomainOf = (options: Pick<KubeletOptions, "clusterDomain">): string =>
  options.clusterDomain ?? "cluster.local";

/** `fqdn` is undefined for a pod without a subdomain. */
export function hostnameOf(pod: Pod, clusterDomain: string): { readonly hostname: string; readonly fqdn: string | undefined } {
  if (pod.spec.hostnameOverride !== undefined) return { hostname: pod.spec.hostnameOverride, fqdn: undefined };
  const name = (pod.spec.hostname ?? pod.metadata.name ?? "").slice(0, 63).replace(/[-.]+$/, "");
  const subdomain = pod.spec.subdomain;
  if (subdomain === undefined || subdomain === "") return { hostname: name, fqdn: undefined };
  const fqdn = `${name}.${subdomain}.${pod.metadata.namespace}.svc.${clusterDomain}`;
  return { hostname: pod.spec.setHostnameAsFQDN ? fqdn : name, fqdn };
}

export function dnsOf(
  pod: Pod,
  options: Pick<KubeletOptions, "clusterDns" | "clusterDomain" | "hostDns">,
): NonNullable<SandboxConfig["dns"]> {
  const host = options.hostDns ?? { servers: [], searches: [], options: [] };
  const cluster = clusterDomainOf(options);
  const usesCluster =
    pod.spec.dnsPolicy === "ClusterFirstWithHostNet" ||
    ((pod.spec.dnsPolicy ?? "ClusterFirst") === "ClusterFirst" && !isHostNetwork(pod));
  const clusterDns = options.clusterDns ?? [];
  const base =
    pod.spec.dnsPolicy === "None"
      ? { servers: [], searches: [], options: [] }
      : usesCluster && clusterDns.length > 0
        ? {
            servers: clusterDns,
            searches: [...new Set([`${pod.metadata.namespace}.svc.${cluster}`, `svc.${cluster}`, cluster, ...host.searches])],
            options: ["ndots:5"],
          }
        : host;
  const more = pod.spec.dnsConfig;
  if (more === undefined) return base;
  return {
    servers: [...new Set([...base.servers, ...(more.nameservers ?? [])])],
    searches: [...new Set([...base.searches, ...(more.searches ?? [])])],
    options: mergedOptions(base.options, more.options ?? []),
  };
}

/** An option of the pod replaces the one of the same name. */
function mergedOptions(
  base: readonly string[],
  more: readonly { readonly name?: string; readonly value?: string }[],
): readonly string[] {
  const merged = new Map(base.map((option) => [option.split(":")[0] ?? "", option]));
  for (const { name, value } of more) if (name !== undefined) merged.set(name, value === undefined ? name : `${name}:${value}`);
  return [...merged.values()];
}

/** /etc/hosts of a pod with its own network, or of one on the host's (then `hostFile` is the host's). */
export function hostsFile(pod: Pod, podIps: readonly string[], clusterDomain: string, hostFile?: string): string {
  const aliases = pod.spec.hostAliases ?? [];
  const added =
    aliases.length === 0
      ? ""
      : `\n# Entries added by HostAliases.\n${aliases.map((alias) => [alias.ip, ...(alias.hostnames ?? [])].join("\t")).join("\n")}\n`;
  if (isHostNetwork(pod)) return `# Kubernetes-managed hosts file (host network).\n${hostFile ?? ""}${added}`;
  const { hostname, fqdn } = hostnameOf(pod, clusterDomain);
  const own = podIps
    .map((ip) => (fqdn === undefined || fqdn === hostname ? `${ip}\t${hostname}\n` : `${ip}\t${fqdn}\t${hostname}\n`))
    .join("");
  return `# Kubernetes-managed hosts file.
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
${own}${added}`;
}
