// Gets a manifest over HTTP (a border module: it opens sockets).
import type { FetchManifest } from "./http-source.ts";

const timeoutMs = 10_000;

export const fetchManifest: FetchManifest = async (url, headers) => {
  const sent = new Headers();
  for (const [name, value] of headers) sent.append(name, value);
  const response = await fetch(url, { headers: sent, signal: AbortSignal.timeout(timeoutMs) });
  return { status: response.status, statusText: response.statusText, body: await response.text() };
};
