// String formats that upstream checks in custom resources; formats that it does not know are not checked.
const octet = "(?:25[0-5]|2[0-4]\\d|1?\\d?\\d)";
const ipv4Pattern = new RegExp(`^${octet}(?:\\.${octet}){3}$`);
const isIPv4 = (text: string): boolean => ipv4Pattern.test(text);
const isIPv6 = (text: string): boolean => /^[0-9a-fA-F:.]+$/.test(text) && text.includes(":") && URL.canParse(`http://[${text}]`);

const tests: Readonly<Record<string, (text: string) => boolean>> = {
  "date-time": (text) =>
    /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/.test(text) && !Number.isNaN(Date.parse(text)),
  date: (text) => /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(`${text}T00:00:00Z`)),
  duration: (text) => /^\s*([+-]?\d+(\.\d+)?\s*(ns|us|µs|ms|s|m|h|d|w|seconds?|minutes?|hours?|days?|weeks?)\s*)+$/.test(text),
  email: (text) => /^[^@\s]+@[^@\s]+$/.test(text),
  ipv4: isIPv4,
  ipv6: isIPv6,
  cidr: (text) =>
    /^[0-9a-fA-F:.]+\/\d{1,3}$/.test(text) && (isIPv4(text.split("/")[0] as string) || isIPv6(text.split("/")[0] as string)),
  uri: (text) => /^[a-zA-Z][a-zA-Z0-9+.-]*:/.test(text) || text.startsWith("/"),
  uuid: (text) => /^[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}$/.test(text),
  byte: (text) => /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text),
  hostname: (text) =>
    text.length <= 255 && /^[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)*\.?$/.test(text),
  mac: (text) => /^([0-9a-fA-F]{2}[:-]){5}[0-9a-fA-F]{2}$/.test(text),
};

/** Undefined when the text is of the format. */
export const formatProblem = (format: string, text: string): string | undefined =>
  tests[format]?.(text) === false ? `not a ${format}` : undefined;
