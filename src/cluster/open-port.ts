// The library cluster's HTTPS port, for programs that are not part of the test: kubectl, Helm, an operator in another process.
import { issueAuthority, issueCertificate, type RunningApiServer } from "#apiserver";
import { systemClock, systemRandom } from "#base";
import { kubeconfigFor } from "#client";

const validityMs = 24 * 3600 * 1000;
const address = "127.0.0.1";

/**
 * Opens any free port on loopback and gives a kubeconfig whose user holds `token`. The certificate follows the machine's own clock and
 * randomness, whatever the cluster's are: those who check it live outside.
 */
export async function openPort(server: RunningApiServer, token: string): Promise<string> {
  const deps = { clock: systemClock, random: systemRandom };
  const authority = await issueAuthority("tiphys-ca", deps);
  const { certificate, key } = await issueCertificate(
    authority,
    { commonName: "kube-apiserver", usages: ["server"], alternativeNames: [address, "localhost"], validityMs },
    deps,
  );
  const { port } = await server.listen({ address, port: 0, cert: certificate, key });
  return kubeconfigFor({
    server: `https://${address}:${port}`,
    caCertificate: authority.certificate,
    credentials: { token },
  });
}
