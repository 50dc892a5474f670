// Config maps and secrets for many simulated nodes: one answer serves them all for a while.
import type { Clock } from "#base";
import type { ReferencedObjects } from "#kubelet";

const keepMs = 5_000;

/** What is there is remembered for five seconds, what is not there is asked for again. */
export function sharedObjects(objects: ReferencedObjects, clock: Clock): ReferencedObjects {
  const remembered = <T>(read: (namespace: string, name: string) => Promise<T | undefined>) => {
    const known = new Map<string, { readonly untilMs: number; readonly value: Promise<T | undefined> }>();
    return (namespace: string, name: string): Promise<T | undefined> => {
      const key = `${namespace}/${name}`;
      const found = known.get(key);
      if (found !== undefined && clock.monotonic() < found.untilMs) return found.value;
      const value = read(namespace, name);
      known.set(key, { untilMs: clock.monotonic() + keepMs, value });
      const drop = (): void => void known.delete(key);
      value.then((object) => object === undefined && drop(), drop);
      return value;
    };
  };
  return { configMap: remembered(objects.configMap), secret: remembered(objects.secret) };
}
