// Static pods from a URL: upstream's flags.
import { defineOptions, type OptionValues } from "#base";
import type { HttpSourceOptions } from "#kubelet";

export const manifestUrlOptions = defineOptions({
  manifestUrl: { kind: "string", help: "URL of further static pods of the node", placeholder: "URL" },
  manifestUrlHeader: {
    kind: "list",
    default: [],
    help: "Headers with which the URL is asked, in this order (a:hello,b:again)",
    placeholder: "NAME:VALUE",
  },
  httpCheckFrequency: { kind: "duration", default: 20_000, help: "How often the URL is asked" },
});

/** Throws a sentence for the user where a header is none. */
export function manifestUrlOf(options: OptionValues<typeof manifestUrlOptions>): HttpSourceOptions | undefined {
  const headers = options.manifestUrlHeader.map((text): readonly [string, string] => {
    const colon = text.indexOf(":");
    if (colon < 1) throw new Error(`Invalid value "${text}" for --manifest-url-header: name:value is wanted`);
    return [text.slice(0, colon).trim(), text.slice(colon + 1).trim()];
  });
  if (options.manifestUrl === undefined) return undefined;
  return { url: options.manifestUrl, headers, everyMs: options.httpCheckFrequency };
}
