// Asks the cluster for a certificate and waits until somebody has decided.
import type { KeyObject } from "node:crypto";
import { ApiError, type CertificateSigningRequest, certificateSigningRequests, isAlreadyExists } from "#api";
import {
  type AlternativeNames,
  type Clock,
  type DistinguishedName,
  type Log,
  publicKeyBytes,
  type Random,
  readRequestPem,
  sleep,
  writeRequest,
} from "#base";
import { type Client, createInformerFactory } from "#client";

export interface CertificateAsk {
  /** Absent: the server gives it a name that begins with "csr-". */
  readonly name?: string;
  readonly signerName: string;
  readonly usages: readonly string[];
  readonly subject: DistinguishedName;
  readonly names?: AlternativeNames;
  readonly key: KeyObject;
}

export interface AskDeps {
  readonly client: Client;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly signal: AbortSignal;
}

const askAgainMs = 5000;

/** PEM. Rejects when the request is denied, fails, is deleted or cannot be made; waits for a server that is not there. */
export async function askForCertificate(ask: CertificateAsk, deps: AskDeps): Promise<string> {
  const { name, uid } = (await post(ask, deps)).metadata;
  const { client, clock, random, log, signal } = deps;
  const informers = createInformerFactory({ client, clock, random, log });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const onAbort = (): void => reject(signal.reason as Error);
  signal.addEventListener("abort", onAbort, { once: true });
  const look = (request: CertificateSigningRequest): void => {
    if (request.metadata.name !== name) return;
    const isOurs = request.metadata.uid === uid;
    const outcome = isOurs ? outcomeOf(request) : new Error(`Cannot have request "${name}" signed: it was replaced by another`);
    if (outcome instanceof Error) reject(outcome);
    else if (outcome !== undefined) resolve(outcome);
  };
  try {
    if (signal.aborted) onAbort();
    informers.informer(certificateSigningRequests, { fieldSelector: `metadata.name=${name}` }).addHandler({
      added: look,
      updated: look,
      deleted: () => reject(new Error(`Cannot have request "${name}" signed: it was deleted`)),
    });
    informers.start();
    return await promise;
  } finally {
    signal.removeEventListener("abort", onAbort);
    await informers[Symbol.asyncDispose]();
  }
}

function outcomeOf({ metadata, status }: CertificateSigningRequest): string | Error | undefined {
  for (const { type, reason, message } of status?.conditions ?? [])
    if (type === "Denied" || type === "Failed") {
      const words = type === "Denied" ? "is denied" : "failed";
      return new Error(
        `Cannot have request "${metadata.name}" signed: certificate signing request ${words}, reason: ${reason}, message: ${message}`,
      );
    }
  const certificate = status?.certificate ?? "";
  return certificate === "" ? undefined : Buffer.from(certificate, "base64").toString("latin1");
}

/** Makes the request, or finds the one that was made for the same key before. */
async function post(ask: CertificateAsk, deps: AskDeps): Promise<{ metadata: { name: string; uid: string } }> {
  const { client, clock, log, signal } = deps;
  const { name, signerName, usages, subject, names, key } = ask;
  const request = Buffer.from(writeRequest(key, subject, names)).toString("base64");
  const metadata = name === undefined ? { generateName: "csr-" } : { name };
  for (;;)
    try {
      return await client.create(certificateSigningRequests, { metadata, spec: { request, signerName, usages } }, { signal });
    } catch (error) {
      if (name !== undefined && isAlreadyExists(error)) return await existing(name, key, deps);
      signal.throwIfAborted();
      if (error instanceof ApiError && error.code < 500 && error.code !== 429)
        throw new Error(`Cannot ask for a certificate: ${error.message}`, { cause: error });
      log.warn("cannot ask for a certificate yet", { error: (error as Error).message });
      await sleep(clock, askAgainMs, signal);
    }
}

async function existing(name: string, key: KeyObject, { client, signal }: AskDeps): ReturnType<typeof post> {
  const found = await client.get(certificateSigningRequests, { name }, { signal });
  const { publicKey } = readRequestPem(Buffer.from(found.spec.request, "base64").toString("latin1"));
  if (!publicKey.equals(publicKeyBytes(key)))
    throw new Error(`Cannot ask for a certificate: request "${name}" is there already, for another key`);
  return found;
}
