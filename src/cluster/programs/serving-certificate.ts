// The certificate with which a kubelet's server starts: given, signed by the cluster in an earlier life, or its own.
import { issueAuthority, issueCertificate } from "#apiserver";
import { readCertificate, servingFile } from "#kubelet";
import type { ProgramDeps } from "./program.ts";

interface Pair {
  readonly certificate: string;
  readonly key: string;
}

const validityMs = 365 * 24 * 3_600_000;

/** One of its own is made once and kept as kubelet.crt and kubelet.key, as upstream; nobody who checks it will trust it. */
export async function servingCertificate(
  options: {
    readonly tlsCertFile: string | undefined;
    readonly tlsPrivateKeyFile: string | undefined;
    readonly rotateServerCertificates: boolean;
    readonly certificateDirectory: string;
  },
  node: { readonly nodeName: string; readonly address: string },
  deps: ProgramDeps,
): Promise<Pair> {
  const { files, clock } = deps;
  const { tlsCertFile, tlsPrivateKeyFile, certificateDirectory } = options;
  const read = async (path: string): Promise<string> => (await files.read(path)).toString();
  if ((tlsCertFile === undefined) !== (tlsPrivateKeyFile === undefined))
    throw new Error("Cannot start the kubelet: --tls-cert-file and --tls-private-key-file belong together");
  if (tlsCertFile !== undefined && tlsPrivateKeyFile !== undefined)
    return { certificate: await read(tlsCertFile), key: await read(tlsPrivateKeyFile) };
  const signed = options.rotateServerCertificates ? await readCertificate(servingFile(certificateDirectory), files) : undefined;
  if (signed !== undefined && signed.toMs > clock.now()) return signed;
  const [certificateFile, keyFile] = [`${certificateDirectory}/kubelet.crt`, `${certificateDirectory}/kubelet.key`];
  if ((await files.stat(certificateFile)) !== undefined)
    return { certificate: await read(certificateFile), key: await read(keyFile) };
  const authority = await issueAuthority(`${node.nodeName}-ca`, deps);
  const alternativeNames = [node.nodeName, node.address];
  const made = await issueCertificate(
    authority,
    { commonName: node.nodeName, usages: ["server"], alternativeNames, validityMs },
    deps,
  );
  await files.makeDirectory(certificateDirectory, 0o700);
  await files.writeAtomic(keyFile, made.key, 0o600);
  await files.writeAtomic(certificateFile, made.certificate, 0o644);
  return made;
}
