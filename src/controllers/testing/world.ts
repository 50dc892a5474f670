// For this room's tests: a fake API, informers and a context on a virtual clock, and a way to let everything settle.
import type { ApiObject } from "#api";
import { type Log, type Running, seededRandom, silentLog, VirtualClock } from "#base";
import {
  type Client,
  type Controller,
  createClient,
  createFakeApi,
  createInformerFactory,
  type FakeApi,
  freezeShared,
  runController,
} from "#client";
import type { ControllerContext, ControllerEntry, ControllerOptions } from "../context.ts";
import { defaultOptions } from "../options.ts";

export interface World extends AsyncDisposable {
  readonly clock: VirtualClock;
  readonly api: FakeApi;
  readonly client: Client;
  readonly context: ControllerContext;
  /** "Normal SuccessfulCreate Created pod: x", in order. */
  readonly events: string[];
  run(controller: Controller): Running;
  start(entry: ControllerEntry): Running | undefined;
  /** Lets every pending promise and immediate run, without time passing. */
  settle(): Promise<void>;
  /** Lets time pass, settling after every step of 100 ms at most. */
  pass(milliseconds: number): Promise<void>;
}

export function createWorld(
  options: { readonly gracefulPods?: boolean; readonly options?: Partial<ControllerOptions>; readonly log?: Log } = {},
): World {
  const clock = new VirtualClock({ startMs: Date.UTC(2026, 0, 1) });
  const api = createFakeApi({ clock, gracefulPods: options.gracefulPods });
  const client = createClient(freezeShared(api));
  const events: string[] = [];
  const log = options.log ?? silentLog;
  const informers = createInformerFactory({ client, clock, random: seededRandom(1), log: silentLog });
  const context: ControllerContext = {
    client,
    informers,
    clock,
    random: seededRandom(2),
    log,
    events: { event: (_about, { type, reason, message }) => void events.push(`${type} ${reason} ${message}`) },
    options: { ...defaultOptions, ...options.options },
  };
  const running: Running[] = [];
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 25; turn++) await clock.advance(0);
  };
  const world: World = {
    clock,
    api,
    client,
    context,
    events,
    settle,
    run: (controller) => {
      const started = runController(controller, { clock, log });
      running.push(started);
      informers.start();
      return started;
    },
    start: (entry) => {
      const started = entry.start(context);
      if (started !== undefined) running.push(started);
      informers.start();
      return started;
    },
    pass: async (milliseconds) => {
      const end = clock.monotonic() + milliseconds;
      while (clock.monotonic() < end) {
        await clock.advance(Math.min(milliseconds / 20, end - clock.monotonic(), 60_000));
        await settle();
      }
    },
    [Symbol.asyncDispose]: async () => {
      await informers[Symbol.asyncDispose]();
      for (const one of running) await one[Symbol.asyncDispose]();
    },
  };
  return world;
}

export const namesOf = (objects: readonly ApiObject[]): string[] => objects.map(({ metadata }) => metadata.name ?? "");
