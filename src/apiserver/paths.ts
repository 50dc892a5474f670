// Requests that are not about resources: discovery, health, version, metrics, OpenAPI, OpenID.
import { apiError } from "#api";
import type { Answer } from "./answer.ts";
import type { Paths } from "./chain.ts";
import { pageNotFound, type ServerRequest } from "./dispatch.ts";

export type PathHandler = (request: ServerRequest) => Answer | Promise<Answer> | undefined;

/** The first handler that knows the path answers. */
export function createPaths(handlers: readonly PathHandler[]): Paths {
  return {
    answer: async (request) => {
      for (const handler of handlers) {
        const answer = handler(request);
        if (answer !== undefined) return await answer;
      }
      return pageNotFound;
    },
  };
}

export const methodRefused = (): Error =>
  apiError("MethodNotAllowed", "the server does not allow this method on the requested resource", {});

export const json = (object: unknown, code = 200): Answer => ({ kind: "object", code, object });
export const text = (body: string, code = 200): Answer => ({
  kind: "raw",
  code,
  contentType: "text/plain; charset=utf-8",
  body,
  headers: { "x-content-type-options": "nosniff" },
});
