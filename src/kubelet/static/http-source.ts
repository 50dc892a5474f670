// Static pods from a URL: a pod or a list of pods, asked for now and then.
import type { Pod } from "#api";
import type { Clock, Log } from "#base";
import { staticPods } from "./manifest.ts";
import type { StaticSource } from "./static-pods.ts";

export interface HttpSourceOptions {
  readonly url: string;
  /** In this order; a name may come more than once. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly everyMs: number;
}

/** Gets a URL; the headers are `HttpSourceOptions.headers`. */
export type FetchManifest = (
  url: string,
  headers: HttpSourceOptions["headers"],
) => Promise<{ readonly status: number; readonly statusText: string; readonly body: string }>;

export interface HttpSourceDeps {
  readonly fetch: FetchManifest;
  readonly clock: Clock;
  readonly log: Log;
  readonly nodeName: string;
}

export function httpSource({ url, headers, everyMs }: HttpSourceOptions, deps: HttpSourceDeps): StaticSource {
  let current: readonly Pod[] = [];
  let currentBody: string | undefined;
  let told: string | undefined;
  const read = async (): Promise<void> => {
    const { status, statusText, body } = await deps.fetch(url, headers);
    if (status !== 200) throw new Error(`${url}: ${status} ${statusText}`.trimEnd());
    if (body === "") throw new Error(`zero-length data received from ${url}`);
    if (body === currentBody) return;
    current = staticPods(body, { source: "http", place: url, nodeName: deps.nodeName, now: deps.clock.now() });
    currentBody = body;
  };
  return {
    everyMs,
    look: async () => {
      try {
        await read();
        told = undefined;
        return true;
      } catch (error) {
        const { message } = error as Error;
        if (message !== told) deps.log.warn("cannot read static pods, going on with those before", { url, error: message });
        told = message;
        return false;
      }
    },
    pods: () => current,
  };
}
