// What a kubelet refuses (the logs of a container that is not there) becomes a Status, as upstream makes it.
import { type ApiError, apiError, badRequest, internalError, type StatusReason } from "#api";

const longest = 50_000;
const reasons: Readonly<Record<number, readonly [StatusReason, string]>> = {
  401: ["Unauthorized", "the server has asked for the client to provide credentials"],
  403: ["Forbidden", ""],
  404: ["NotFound", "the server could not find the requested resource"],
  405: ["MethodNotAllowed", "the server does not allow this method on the requested resource"],
  503: ["ServiceUnavailable", "the server is currently unable to handle the request"],
};

export const isRefusal = (code: number): boolean => code < 200 || code > 206;

/** Reads the answer's text, up to 50 000 bytes. */
export async function backendRefusal(
  { code, body }: { readonly code: number; readonly body: AsyncIterable<Buffer> },
  { resource, name }: { readonly resource: string; readonly name: string },
): Promise<ApiError> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= longest) break;
  }
  const text = Buffer.concat(chunks).subarray(0, longest).toString("utf8");
  if (code === 400) return badRequest(text);
  if (code === 500) return internalError(new Error(text));
  const [reason, words] = reasons[code] ?? [
    "",
    `the server responded with the status code ${code} but did not return more information`,
  ];
  return apiError(reason, `${code === 403 ? text : words} ( ${resource} ${name})`, { name, kind: resource }, code);
}
