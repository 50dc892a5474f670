// Certificates and keys of a node on disk, in the files that upstream's kubelet keeps them in.
import { createPrivateKey, generateKeyPair, type KeyObject, X509Certificate } from "node:crypto";
import { promisify } from "node:util";
import type { Files } from "#base";
import type { Certificate } from "./plan.ts";

export const clientFile = (directory: string): string => `${directory}/kubelet-client-current.pem`;
export const servingFile = (directory: string): string => `${directory}/kubelet-server-current.pem`;
/** The key of the first request, kept while it is undecided. */
const pendingKeyFile = (directory: string): string => `${directory}/kubelet-client.key.tmp`;

export interface Kept extends Certificate {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Undefined where there is none, or none that can be used. */
export async function readCertificate(path: string, files: Files): Promise<Kept | undefined> {
  if ((await files.stat(path)) === undefined) return undefined;
  return keptOf((await files.read(path)).toString());
}

/** One text with the certificate and its key, as the files have it. */
export function keptOf(text: string): Kept | undefined {
  try {
    const parsed = new X509Certificate(text);
    const key = createPrivateKey(text);
    if (!parsed.checkPrivateKey(key)) return undefined;
    return { certificate: text, key: text, fromMs: parsed.validFromDate.getTime(), toMs: parsed.validToDate.getTime() };
  } catch {
    return undefined;
  }
}

export const keyText = (key: KeyObject): string => key.export({ type: "pkcs8", format: "pem" }).toString();
export const newKey = async (): Promise<KeyObject> =>
  (await promisify(generateKeyPair)("ec", { namedCurve: "P-256" })).privateKey;

/** The key of a request that may be waiting, or a new one that is kept from now on. */
export async function pendingKey(directory: string, files: Files): Promise<KeyObject> {
  const path = pendingKeyFile(directory);
  if ((await files.stat(path)) !== undefined) {
    try {
      return createPrivateKey(await files.read(path));
    } catch {
      // half written, or somebody's text: a new one is as good
    }
  }
  const key = await newKey();
  await files.writeAtomic(path, keyText(key), 0o600);
  return key;
}

/** The key is settled once the certificate for it is on disk. */
export const forgetPendingKey = (directory: string, files: Files): Promise<void> => files.remove(pendingKeyFile(directory));
