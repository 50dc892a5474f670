// Nodes that somebody else creates to be simulated, as `tiphys kubectl create node` does: found by their annotation, served until deleted.
import { type Node, type Stored, simulateNodeAnnotation } from "#api";
import type { Log } from "#base";
import type { Informer } from "#client";

export interface NodeHost {
  has(name: string): boolean;
  /** Registers the node and begins to serve it. */
  take(node: Stored<Node>): Promise<void>;
  release(name: string): Promise<void>;
}

const isWanted = (node: Stored<Node>): boolean =>
  node.metadata.annotations?.[simulateNodeAnnotation] === "true" && node.metadata.deletionTimestamp === undefined;

/** What fails is tried again when the node changes next, as it does while it is not Ready. Disposing waits for what is under way. */
export function serveCreatedNodes(nodes: Informer<Node>, host: NodeHost, log: Log): AsyncDisposable {
  const underWay = new Map<string, Promise<void>>();
  const taken = new Set<string>();
  let isStopped = false;
  const work = (name: string, what: string, task: () => Promise<void>): void => {
    const done = (underWay.get(name) ?? Promise.resolve())
      .then(() => (isStopped ? undefined : task()))
      .catch((error: unknown) => log.warn(`cannot ${what} a simulated node`, { node: name, error: (error as Error).message }))
      .finally(() => {
        if (underWay.get(name) === done) underWay.delete(name);
      });
    underWay.set(name, done);
  };
  const consider = (node: Stored<Node>): void => {
    const { name } = node.metadata;
    if (!isWanted(node) || host.has(name) || underWay.has(name)) return;
    work(name, "serve", async () => {
      await host.take(node);
      taken.add(name);
    });
  };
  const subscription = nodes.addHandler({
    added: consider,
    updated: consider,
    deleted: ({ metadata: { name } }) => {
      if (taken.has(name) || underWay.has(name))
        work(name, "let go of", async () => {
          taken.delete(name);
          if (nodes.get(name) === undefined) await host.release(name);
        });
    },
  });
  return {
    [Symbol.asyncDispose]: async () => {
      isStopped = true;
      subscription[Symbol.dispose]();
      await Promise.all(underWay.values());
    },
  };
}
