// Clients that act as service accounts by tokens of their own, asked for and renewed (upstream: --use-service-account-credentials).
import { isAlreadyExists, isNotFound, type ServiceAccount, serviceAccounts, type TokenRequest } from "#api";
import { type Client, createClient, httpsTransport, loadKubeconfig } from "#client";
import type { ProgramDeps } from "./program.ts";

const namespace = "kube-system";
const expirationSeconds = 3600;

export interface AccountClients extends AsyncDisposable {
  clientFor(account: string): Client;
}

/** `own` may create service accounts of kube-system and ask for their tokens, as system:kube-controller-manager may. */
export async function serviceAccountClients(kubeconfig: string, own: Client, deps: ProgramDeps): Promise<AccountClients> {
  const { clock, files, log } = deps;
  const {
    clientCertificate: _certificate,
    clientKey: _key,
    ...config
  } = await loadKubeconfig((await files.read(kubeconfig)).toString(), { files });
  const transports: AsyncDisposable[] = [];
  return {
    clientFor: (account) => {
      let current: Promise<string> | undefined;
      let renewAtMs = 0;
      const token = (): Promise<string> => {
        if (current === undefined || clock.now() >= renewAtMs) {
          renewAtMs = clock.now() + expirationSeconds * 800; // at four fifths of its life
          const asked = requestToken(own, account);
          current = asked;
          asked.catch(() => {
            if (current === asked) current = undefined;
          });
        }
        return current;
      };
      const transport = httpsTransport({ ...config, token, userAgent: account, clock, log });
      transports.push(transport);
      return createClient(transport);
    },
    [Symbol.asyncDispose]: async () => void (await Promise.all(transports.map((transport) => transport[Symbol.asyncDispose]()))),
  };
}

async function requestToken(own: Client, account: string): Promise<string> {
  const ask = async (): Promise<string> => {
    const answer = (await own.createSubresource(serviceAccounts, { namespace, name: account }, "token", {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      metadata: {},
      spec: { audiences: [], expirationSeconds },
    })) as TokenRequest;
    return answer.status?.token ?? "";
  };
  try {
    return await ask();
  } catch (error) {
    if (!isNotFound(error)) throw error;
    const created: ServiceAccount = { metadata: { namespace, name: account } };
    await own.create(serviceAccounts, created).catch((failure: unknown) => {
      if (!isAlreadyExists(failure)) throw failure;
    });
    return ask();
  }
}
