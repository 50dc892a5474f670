// What a resource answers behind an object's name (status, scale, binding, log, ...), and resources that store nothing.
import type { ResourceType } from "#api";
import type { Answer } from "../answer.ts";
import type { ServerRequest } from "../dispatch.ts";
import { get, type Reads } from "../registry/read.ts";
import type { Writes } from "../registry/request.ts";
import { noSuchResource, notAllowed, patchVerb, updateVerb, type VerbRequest } from "../registry/verbs.ts";

export interface Subresources {
  answer(request: VerbRequest, method: string, path: readonly string[]): Promise<Answer>;
  virtual(type: ResourceType, request: ServerRequest, target: { readonly namespace: string | undefined; readonly name: string | undefined }): Promise<Answer>;
}

export interface SubresourceDeps {
  readonly reads: Reads;
  readonly writes: Writes;
}

export function createSubresources(deps: SubresourceDeps): Subresources {
  return {
    answer: async (request, method, path) => {
      const [name = ""] = path;
      if (name === "status") return await status(deps, request, method);
      throw noSuchResource();
    },
    virtual: async () => {
      throw notAllowed();
    },
  };
}

async function status(deps: SubresourceDeps, request: VerbRequest, method: string): Promise<Answer> {
  switch (method) {
    case "GET":
      return await get(deps.reads, request);
    case "PUT":
      return await updateVerb(deps.writes, request);
    case "PATCH":
      return await patchVerb(deps.writes, request);
    default:
      throw notAllowed();
  }
}
