// What an HTTPS request says of its sender: the client certificate that TLS has verified, and the header.
import type { IncomingMessage } from "node:http";
import type { TLSSocket } from "node:tls";

export interface PresentedCredentials {
  readonly certificate?: { readonly commonName: string; readonly organizations: readonly string[] };
  readonly authorization: string | undefined;
}

export function presentedCredentials(request: IncomingMessage): PresentedCredentials {
  const socket = request.socket as TLSSocket;
  const { authorization } = request.headers;
  const subject = socket.authorized ? socket.getPeerCertificate().subject : undefined;
  if (subject?.CN === undefined) return { authorization };
  const organizations = subject.O as string | string[] | undefined;
  return {
    authorization,
    certificate: {
      commonName: String(subject.CN),
      organizations: organizations === undefined ? [] : Array.isArray(organizations) ? organizations : [organizations],
    },
  };
}
