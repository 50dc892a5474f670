// What of the node a path of the kubelet's server shows: the subresource of `nodes` that its caller must be allowed.

/** kubernetes.io: Kubelet authentication/authorization. */
export function nodeSubresource(path: string): string {
  if (path.startsWith("/stats")) return "stats";
  if (path.startsWith("/metrics")) return "metrics";
  if (path.startsWith("/logs")) return "log";
  if (path.startsWith("/spec")) return "spec";
  if (path === "/healthz") return "healthz";
  if (path === "/pods" || path === "/runningpods") return "pods";
  return "proxy";
}
