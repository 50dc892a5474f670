// What a name inside the cluster zone asks for (Kubernetes DNS-Based Service Discovery, version 1.1.0).

export type ClusterName =
  | { readonly kind: "version" }
  | { readonly kind: "zone" }
  /** "svc.zone", "ns.svc.zone": they exist, without records. */
  | { readonly kind: "namespace"; readonly namespace: string | undefined }
  | { readonly kind: "service"; readonly namespace: string; readonly service: string }
  /** A named endpoint of a headless service: "web-0.web.default.svc.zone". */
  | { readonly kind: "endpoint"; readonly namespace: string; readonly service: string; readonly host: string }
  /** "_http._tcp.web.default.svc.zone" */
  | {
      readonly kind: "port";
      readonly namespace: string;
      readonly service: string;
      readonly port: string;
      readonly protocol: string;
    }
  /** "10-244-0-7.default.pod.zone" */
  | { readonly kind: "pod"; readonly namespace: string; readonly address: string }
  | { readonly kind: "unknown" };

/** Undefined: the name is not in the zone. Names are compared without regard to case; a final dot is fine. */
export function parseClusterName(name: string, zone: string): ClusterName | undefined {
  const text = name.toLowerCase().replace(/\.$/, "");
  if (text === zone) return { kind: "zone" };
  if (!text.endsWith(`.${zone}`)) return undefined;
  const labels = text.slice(0, -zone.length - 1).split(".");
  if (labels.length === 1 && labels[0] === "dns-version") return { kind: "version" };
  const type = labels.pop();
  if (type === "pod") {
    const [host = "", namespace = ""] = labels;
    const address = /^\d+-\d+-\d+-\d+$/.test(host) ? host.replaceAll("-", ".") : undefined;
    return labels.length === 2 && address !== undefined ? { kind: "pod", namespace, address } : { kind: "unknown" };
  }
  if (type !== "svc") return { kind: "unknown" };
  if (labels.length < 2) return { kind: "namespace", namespace: labels[0] };
  const namespace = labels.pop() as string; // two labels at least
  const service = labels.pop() as string;
  if (labels.length === 0) return { kind: "service", namespace, service };
  if (labels.length === 1) return { kind: "endpoint", namespace, service, host: labels[0] as string };
  const [port = "", protocol = ""] = labels;
  if (labels.length === 2 && port.startsWith("_") && protocol.startsWith("_"))
    return { kind: "port", namespace, service, port: port.slice(1), protocol: protocol.slice(1) };
  return { kind: "unknown" };
}

/** "7.0.244.10.in-addr.arpa" -> "10.244.0.7" */
export function parseReverseName(name: string): string | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.in-addr\.arpa\.?$/i.exec(name);
  return match === null ? undefined : `${match[4]}.${match[3]}.${match[2]}.${match[1]}`;
}
