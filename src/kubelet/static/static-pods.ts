// Static pods: files of a directory, and their mirror pods in the API.
import type { Node } from "#api";
import type { Clock, Files, Log } from "#base";
import type { Client } from "#client";
import type { PodFleet } from "../pod/fleet.ts";

export interface StaticPodDeps {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Log;
  readonly files: Files;
  readonly fleet: PodFleet;
  readonly nodeName: string;
  readonly node: () => Node | undefined;
}

export async function startStaticPods(directory: string, _deps: StaticPodDeps): Promise<AsyncDisposable> {
  throw new Error(`Cannot watch static pods in "${directory}": not implemented yet`);
}
