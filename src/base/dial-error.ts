// Why a connection failed, in the words that Kubernetes' users know.

const words: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  EHOSTUNREACH: "no route to host",
  ENETUNREACH: "network is unreachable",
  ETIMEDOUT: "connection timed out",
};

/** "dial tcp 10.244.0.5:80: connect: connection refused"; the error's own message where it was something else. */
export function dialErrorText(error: Error, host: string, port: number): string {
  const known = words[(error as NodeJS.ErrnoException).code ?? ""];
  return known === undefined ? error.message : `dial tcp ${host.includes(":") ? `[${host}]` : host}:${port}: connect: ${known}`;
}
