// Service account tokens of pods: asked for when a volume is mounted, renewed before they expire.
import { type Pod, type ServiceAccountTokenProjection, serviceAccounts, type TokenRequest } from "#api";
import type { Clock } from "#base";
import type { Client } from "#client";

interface Known {
  readonly token: string;
  readonly renewAtMs: number;
  readonly expiresAtMs: number;
}

const longestMs = 24 * 3_600_000;

export class TokenKeeper {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #known = new Map<string, Known>();

  constructor(deps: { readonly client: Client; readonly clock: Clock }) {
    this.#client = deps.client;
    this.#clock = deps.clock;
  }

  /** The token for this projection; a new one from 80 % of its life on, or after a day. */
  async token(
    pod: Pod,
    volume: string,
    { audience, expirationSeconds = 3600, path }: ServiceAccountTokenProjection,
  ): Promise<string> {
    const key = JSON.stringify([pod.metadata.uid, volume, path, audience ?? "", expirationSeconds]);
    const now = this.#clock.now();
    const known = this.#known.get(key);
    if (known !== undefined && now < known.renewAtMs) return known.token;
    try {
      const fresh = await this.#request(pod, audience, expirationSeconds);
      this.#known.set(key, fresh);
      return fresh.token;
    } catch (error) {
      // An old token is better than none while it lasts.
      if (known !== undefined && now < known.expiresAtMs) return known.token;
      throw error;
    }
  }

  forget(uid: string): void {
    for (const key of this.#known.keys()) if ((JSON.parse(key) as string[])[0] === uid) this.#known.delete(key);
  }

  async #request(pod: Pod, audience: string | undefined, expirationSeconds: number): Promise<Known> {
    const request: TokenRequest = {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      metadata: {},
      spec: {
        audiences: audience === undefined || audience === "" ? [] : [audience],
        expirationSeconds,
        boundObjectRef: { apiVersion: "v1", kind: "Pod", name: pod.metadata.name, uid: pod.metadata.uid },
      },
    };
    const account = { namespace: pod.metadata.namespace, name: pod.spec.serviceAccountName ?? "default" };
    const now = this.#clock.now();
    const reply = (await this.#client.createSubresource(serviceAccounts, account, "token", request)) as TokenRequest;
    const { token, expirationTimestamp } = reply.status ?? {};
    if (token === undefined || expirationTimestamp === undefined)
      throw new Error(`the API server's answer has no token for service account "${account.name}"`);
    const expiresAtMs = Date.parse(expirationTimestamp);
    return { token, expiresAtMs, renewAtMs: now + Math.min((expiresAtMs - now) * 0.8, longestMs) };
  }
}
