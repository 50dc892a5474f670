// Config maps and secrets that pods refer to, read through the API.
import { type ApiObject, configMaps, isNotFound, type ResourceType, secrets } from "#api";
import type { Client } from "#client";
import type { ReferencedObjects } from "./environment.ts";

export function objectsThrough(client: Client): ReferencedObjects {
  const get = async <T extends ApiObject>(type: ResourceType<T>, namespace: string, name: string): Promise<T | undefined> => {
    try {
      return await client.get(type, { namespace, name });
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  };
  return {
    configMap: (namespace, name) => get(configMaps, namespace, name),
    secret: (namespace, name) => get(secrets, namespace, name),
  };
}
