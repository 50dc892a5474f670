// What the controllers and the scheduler show on their own ports, in `tiphys up` and as programs.
import { Registry } from "prom-client";
import type { Files, Log, Running } from "#base";
import type { Client } from "#client";
import { type RunningScheduler, schedulerMetrics } from "#scheduler";
import { type ComponentServer, type ComponentServerOptions, startComponentServer } from "./component-server.ts";

interface PortDeps {
  /** Asks the API server who a caller is and what they may do. */
  readonly client: Client;
  readonly log: Log;
}

/** `running` is undefined while another copy leads. */
export const serveControllers = (
  options: ComponentServerOptions,
  { running, registry }: { readonly running: () => Running | undefined; readonly registry: () => Registry },
  deps: PortDeps,
): Promise<ComponentServer> =>
  startComponentServer(options, { ready: () => running()?.ready(), metrics: () => registry().metrics() }, deps);

/** Beside health and metrics: `/explain/NAMESPACE/POD`, the last decision on a pod as JSON. */
export function serveScheduler(
  options: ComponentServerOptions,
  { running, registry }: { readonly running: () => RunningScheduler | undefined; readonly registry: Registry },
  deps: PortDeps,
): Promise<ComponentServer> {
  schedulerMetrics(registry, running);
  const page = (path: string): object | undefined => {
    const key = /^\/explain\/([^/]+\/[^/]+)$/.exec(path)?.[1];
    return key === undefined ? undefined : running()?.explain(key);
  };
  return startComponentServer(options, { ready: () => running()?.ready(), metrics: () => registry.metrics(), page }, deps);
}

export interface ComponentUrls {
  readonly controllers: string;
  readonly scheduler: string;
}

/** Where a cluster says on which ports its components answer; `tiphys explain` reads it. */
export const componentUrlsPath = (dataDir: string): string => `${dataDir}/components.json`;

/** Both ports of `tiphys up`. */
export async function openComponentPorts(
  options: {
    readonly controllers: ComponentServerOptions;
    readonly scheduler: ComponentServerOptions;
    readonly urlsFile: string;
  },
  components: { readonly controllers: Running; readonly registry: Registry; readonly scheduler: RunningScheduler },
  { client, log, files }: PortDeps & { readonly files: Files },
): Promise<AsyncDisposable> {
  await using opening = new AsyncDisposableStack();
  const { controllers, registry, scheduler } = components;
  const deps = { client, log };
  const forControllers = opening.use(
    await serveControllers(options.controllers, { running: () => controllers, registry: () => registry }, deps),
  );
  const forScheduler = opening.use(
    await serveScheduler(options.scheduler, { running: () => scheduler, registry: new Registry() }, deps),
  );
  const urls: ComponentUrls = {
    controllers: urlOf(options.controllers.address, forControllers.port),
    scheduler: urlOf(options.scheduler.address, forScheduler.port),
  };
  await files.writeAtomic(options.urlsFile, `${JSON.stringify(urls)}\n`);
  return opening.move();
}

const urlOf = (address: string, port: number): string => `https://${address.includes(":") ? `[${address}]` : address}:${port}`;
