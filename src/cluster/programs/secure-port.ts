// `--secure-port` of the controllers and the scheduler as programs: upstream's flags, a certificate of its own where none is given.
import { issueAuthority, issueCertificate } from "#apiserver";
import { defineOptions, type OptionValues } from "#base";
import type { ComponentServerOptions } from "../component-server.ts";
import type { ProgramDeps } from "./program.ts";

export const securePortOptions = (port: number) =>
  defineOptions({
    bindAddress: {
      kind: "string",
      default: "0.0.0.0",
      help: "Address on which health and metrics are shown",
      placeholder: "ADDRESS",
    },
    securePort: { kind: "integer", default: port, help: "Port on which health and metrics are shown; 0: none" },
    tlsCertFile: { kind: "string", help: "Certificate of that port (default: one made at the start)", placeholder: "FILE" },
    tlsPrivateKeyFile: { kind: "string", help: "Key of that port's certificate", placeholder: "FILE" },
    clientCaFile: { kind: "string", help: "Authorities whose client certificates are users", placeholder: "FILE" },
  });

type SecurePortOptions = OptionValues<ReturnType<typeof securePortOptions>>;

/** Undefined: no port is wanted. */
export async function securePort(options: SecurePortOptions, deps: ProgramDeps): Promise<ComponentServerOptions | undefined> {
  if (options.securePort === 0) return undefined;
  const read = async (path: string): Promise<string> => (await deps.files.read(path)).toString();
  const { tlsCertFile, tlsPrivateKeyFile, clientCaFile } = options;
  if ((tlsCertFile === undefined) !== (tlsPrivateKeyFile === undefined))
    throw new Error("Cannot open the secure port: --tls-cert-file and --tls-private-key-file belong together");
  const { certificate, key } =
    tlsCertFile === undefined || tlsPrivateKeyFile === undefined
      ? await selfMade(deps)
      : { certificate: await read(tlsCertFile), key: await read(tlsPrivateKeyFile) };
  return {
    address: options.bindAddress,
    port: options.securePort,
    portFlag: "--secure-port",
    certificate,
    key,
    ...(clientCaFile === undefined ? {} : { clientCa: await read(clientCaFile) }),
  };
}

async function selfMade(deps: ProgramDeps): Promise<{ certificate: string; key: string }> {
  const validityMs = 365 * 24 * 3600 * 1000;
  const authority = await issueAuthority(`${deps.hostname}-ca`, deps);
  const alternativeNames = [deps.hostname, "localhost", "127.0.0.1"];
  return issueCertificate(authority, { commonName: deps.hostname, usages: ["server"], alternativeNames, validityMs }, deps);
}
