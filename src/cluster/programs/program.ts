// One component a process: what each program declares, and what the command line gives to all of them.
import type { Clock, Files, Log, OptionSpecs, OptionValues, Processes, Random } from "#base";
import { createClient, httpsTransport, loadKubeconfig, type UserInfo } from "#client";
import type { ClientFor } from "../control-plane.ts";

export interface ProgramDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly files: Files;
  readonly processes: Processes;
  readonly log: Log;
  readonly packageVersion: string;
  readonly hostname: string;
  /** Aborted when the program is asked to stop: a start that waits for somebody gives up. */
  readonly signal: AbortSignal;
}

/** `start` resolves when the component runs; disposal stops it. Undefined: there was something to do once, and it is done. Flags carry upstream's names where upstream has them. */
export interface Program<T extends OptionSpecs = OptionSpecs> {
  readonly name: string;
  readonly summary: string;
  readonly options: T;
  start(options: OptionValues<T>, deps: ProgramDeps): Promise<AsyncDisposable | undefined>;
}

export const defineProgram = <const T extends OptionSpecs>(program: Program<T>): Program => program as unknown as Program;

/**
 * Clients over HTTPS with the credentials of a kubeconfig. With `impersonate` each acts as the user that is asked for (controllers' service
 * accounts, simulated nodes), which the kubeconfig's own user must be allowed; without it all act as that user.
 */
export async function clientsFromKubeconfig(
  path: string | undefined,
  deps: ProgramDeps,
  options: { impersonate: boolean },
): Promise<AsyncDisposable & { clientFor: ClientFor }> {
  if (path === undefined) throw new Error("Cannot reach an API server: --kubeconfig is missing");
  const config = await loadKubeconfig((await deps.files.read(path)).toString(), { files: deps.files });
  const transports = new Map<string, ReturnType<typeof httpsTransport>>();
  const transportFor = (user: UserInfo, userAgent: string): ReturnType<typeof httpsTransport> => {
    const key = options.impersonate ? `${user.name} ${userAgent}` : userAgent;
    let transport = transports.get(key);
    if (transport === undefined) {
      transport = httpsTransport({
        ...config,
        ...(options.impersonate ? { impersonate: user } : {}),
        userAgent,
        clock: deps.clock,
        log: deps.log,
      });
      transports.set(key, transport);
    }
    return transport;
  };
  return {
    clientFor: (user, userAgent) => createClient(transportFor(user, userAgent)),
    [Symbol.asyncDispose]: async () =>
      void (await Promise.all([...transports.values()].map((transport) => transport[Symbol.asyncDispose]()))),
  };
}
