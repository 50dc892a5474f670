// Transports without sockets: a function call into the API server, and two wrappers with which tests prove that nothing depends on shared identity.
import type { ApiReply, ApiRequest, Handle, Transport, UserInfo, WatchFrame } from "./transport.ts";

/** Calls the API server in this process as `user`. Objects are shared with the server's cache: never change them. */
export function inProcessTransport(handle: Handle, as: { readonly user: UserInfo; readonly userAgent: string }): Transport {
  return {
    send: (request) => handle({ ...request, user: as.user, userAgent: as.userAgent }),
    [Symbol.asyncDispose]: async () => {},
  };
}

/** Forces every body through JSON bytes in both directions, as HTTPS would (D2). */
export const forceWire = (transport: Transport): Transport =>
  mapped(transport, <V>(value: V): V => (value === undefined ? value : (JSON.parse(JSON.stringify(value)) as V)));

/** Freezes everything that passes, deeply: who changes a shared object throws. For tests; freezing costs half the speed of serialising. */
export const freezeShared = (transport: Transport): Transport => mapped(transport, deepFreeze);

function mapped(transport: Transport, map: <V>(value: V) => V): Transport {
  return {
    send: async (request: ApiRequest): Promise<ApiReply> => {
      const reply = await transport.send({ ...request, body: map(request.body) });
      return "frames" in reply ? { ...reply, frames: mapFrames(reply.frames, map) } : { ...reply, object: map(reply.object) };
    },
    [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
  };
}

async function* mapFrames(frames: AsyncIterable<WatchFrame>, map: <V>(value: V) => V): AsyncGenerator<WatchFrame> {
  for await (const frame of frames) yield { type: frame.type, object: map(frame.object) };
}

function deepFreeze<V>(value: V): V {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const inner of Object.values(value)) deepFreeze(inner);
  return value;
}
