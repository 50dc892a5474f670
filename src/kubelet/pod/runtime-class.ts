// From a pod's RuntimeClass to the runtime's handler.
import type { Pod, RuntimeClass } from "#api";
import type { Informer } from "#client";

/** Throws where the class does not exist. */
export const runtimeHandlerFrom =
  (classes: Informer<RuntimeClass>) =>
  async (pod: Pod): Promise<string> => {
    const name = pod.spec.runtimeClassName;
    if (name === undefined || name === "") return "";
    await classes.synced;
    const found = classes.get(name);
    if (found === undefined)
      throw new Error(`failed to get sandbox runtime: no runtime for "${name}" is configured: RuntimeClass "${name}" not found`);
    return found.handler;
  };
