// The rules for names, label keys and values, with upstream's sentences (k8s.io/apimachinery/pkg/util/validation).
// Each checker returns the messages of what is wrong, in upstream's order; an empty list means the value is fine.

const dns1123LabelFormat = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const dns1123SubdomainFormat = `${dns1123LabelFormat}(\\.${dns1123LabelFormat})*`;
const dns1035LabelFormat = "[a-z]([-a-z0-9]*[a-z0-9])?";
const qualifiedNameFormat = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const labelValueFormat = `(${qualifiedNameFormat})?`;
const wildcardSubdomainFormat = `\\*\\.${dns1123SubdomainFormat}`;
const configMapKeyFormat = "[-._a-zA-Z0-9]+";
const environmentNameFormat = "[ -<>-~]+";
const percentFormat = "[0-9]+%";

const dns1123Label = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const dns1123SubdomainPattern = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const dns1035Label = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const qualifiedName = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;

/** Upstream's sentence for a value that does not match: message, examples, the expression. */
export function regexError(message: string, format: string, ...examples: readonly string[]): string {
  if (examples.length === 0) return `${message} (regex used for validation is '${format}')`;
  const shown = examples.map((example) => `'${example}', `).join(" or ");
  return `${message} (e.g. ${shown}regex used for validation is '${format}')`;
}

const maxLengthError = (length: number): string => `must be no more than ${length} characters`;
const maxBytesError = (length: number): string => `must be no more than ${length} bytes`;
export const inclusiveRangeError = (low: number, high: number): string => `must be between ${low} and ${high}, inclusive`;

/** Length as upstream counts it: bytes of UTF-8. */
export function byteLength(text: string): number {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return Buffer.byteLength(text);
  return text.length;
}

const dns1123LabelMessage = regexError(
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
  dns1123LabelFormat,
  "my-name",
  "123-abc",
);
const dns1123SubdomainMessage = regexError(
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
  dns1123SubdomainFormat,
  "example.com",
);
const dns1035LabelMessage = regexError(
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
  dns1035LabelFormat,
  "my-name",
  "abc-123",
);
const nameCharacters =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";

export function isDns1123Label(value: string): string[] {
  const errors: string[] = [];
  if (byteLength(value) > 63) errors.push(maxLengthError(63));
  if (!dns1123Label.test(value)) {
    if (dns1123SubdomainPattern.test(value)) errors.push("must not contain dots");
    else errors.push(dns1123LabelMessage);
  }
  return errors;
}

export function isDns1123Subdomain(value: string): string[] {
  const errors: string[] = [];
  if (byteLength(value) > 253) errors.push(maxLengthError(253));
  if (!dns1123SubdomainPattern.test(value)) errors.push(dns1123SubdomainMessage);
  return errors;
}

export function isDns1035Label(value: string): string[] {
  const errors: string[] = [];
  if (byteLength(value) > 63) errors.push(maxLengthError(63));
  if (!dns1035Label.test(value)) errors.push(dns1035LabelMessage);
  return errors;
}

export function isWildcardDns1123Subdomain(value: string): string[] {
  const errors: string[] = [];
  if (byteLength(value) > 253) errors.push(maxLengthError(253));
  if (!value.startsWith("*.") || !dns1123SubdomainPattern.test(value.slice(2)))
    errors.push(
      regexError(
        "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
        wildcardSubdomainFormat,
        "*.example.com",
      ),
    );
  return errors;
}

/** A key such as "app" or "example.com/app": label keys, annotation keys, taint keys, resource names, finalizers. */
export function isLabelKey(value: string): string[] {
  const errors: string[] = [];
  const parts = value.split("/");
  let name = value;
  if (parts.length === 2) {
    const prefix = parts[0] ?? "";
    name = parts[1] ?? "";
    if (prefix === "") errors.push("prefix part must be non-empty");
    else {
      if (byteLength(prefix) > 253) errors.push(`prefix part ${maxBytesError(253)}`);
      if (!dns1123SubdomainPattern.test(prefix)) errors.push(`prefix part ${dns1123SubdomainMessage}`);
    }
  } else if (parts.length > 2) {
    errors.push(
      `${regexError(`a valid label key ${nameCharacters}`, qualifiedNameFormat, "MyName", "my.name", "123-abc")} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    );
    return errors;
  }
  if (name === "") errors.push("name part must be non-empty");
  else if (byteLength(name) > 63) errors.push(`name part ${maxBytesError(63)}`);
  if (!qualifiedName.test(name))
    errors.push(`name part ${regexError(nameCharacters, qualifiedNameFormat, "MyName", "my.name", "123-abc")}`);
  return errors;
}

/** The same rule under upstream's older name. */
export const isQualifiedName = isLabelKey;

export function isLabelValue(value: string): string[] {
  const errors: string[] = [];
  if (byteLength(value) > 63) errors.push(maxBytesError(63));
  if (value !== "" && !qualifiedName.test(value))
    errors.push(
      regexError(
        `a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character`,
        labelValueFormat,
        "MyValue",
        "my_value",
        "12345",
      ),
    );
  return errors;
}

/** "example.com/path": pod condition types of readiness gates, finalizers of some kinds. */
export function isDomainPrefixedPath(value: string): string[] {
  if (value === "") return ["Required value"];
  const slash = value.indexOf("/");
  if (slash <= 0 || slash === value.length - 1) return ['must be a domain-prefixed path (such as "acme.io/foo")'];
  const errors = isDns1123Subdomain(value.slice(0, slash));
  if (!/^[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/.test(value.slice(slash + 1)))
    errors.push(regexError("Invalid path", "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+"));
  return errors;
}

export function isConfigMapKey(value: string): string[] {
  const errors: string[] = [];
  if (byteLength(value) > 253) errors.push(maxLengthError(253));
  if (!/^[-._a-zA-Z0-9]+$/.test(value))
    errors.push(
      regexError(
        "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
        configMapKeyFormat,
        "key.name",
        "KEY_NAME",
        "key-name",
      ),
    );
  errors.push(...dotDot(value));
  return errors;
}

/** A file name made of a key: not "." and not beginning with "..". */
function dotDot(value: string): string[] {
  if (value === ".") return ["must not be '.'"];
  if (value === "..") return ["must not be '..'"];
  if (value.startsWith("..")) return ["must not start with '..'"];
  return [];
}

/** Environment variable names as pods take them since RelaxedEnvironmentVariableValidation: printable ASCII but "=". */
export function isEnvironmentName(value: string): string[] {
  if (/^[ -<>-~]+$/.test(value)) return [];
  return [
    regexError(
      "a valid environment variable name must consist only of printable ASCII characters other than '='",
      environmentNameFormat,
    ),
  ];
}

export const isPortNumber = (port: number): string[] => (port >= 1 && port <= 65535 ? [] : [inclusiveRangeError(1, 65535)]);

/** An IANA service name, such as the name of a container's port. */
export function isPortName(value: string): string[] {
  const errors: string[] = [];
  if (byteLength(value) > 15) errors.push("must be no more than 15 characters");
  if (!/^[-a-z0-9]+$/.test(value)) errors.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
  if (!/[a-z]/.test(value)) errors.push("must contain at least one letter (a-z)");
  if (value.includes("--")) errors.push("must not contain consecutive hyphens");
  if (value.startsWith("-") || value.endsWith("-")) errors.push("must not begin or end with a hyphen");
  return errors;
}

export const isPercent = (value: string): string[] =>
  /^[0-9]+%$/.test(value)
    ? []
    : [regexError("a valid percent string must be a numeric string followed by an ending '%'", percentFormat, "1%", "93%")];

/** An HTTP header's name. */
export const isHttpHeaderName = (value: string): string[] =>
  /^[-A-Za-z0-9]+$/.test(value)
    ? []
    : [regexError("a valid HTTP header must consist of alphanumeric characters or '-'", "[-A-Za-z0-9]+", "X-Header-Name")];

/** A resource's, role's or user's name as it stands in a URL path: no "/", no "%", not "." or "..". */
export function isPathSegment(value: string): string[] {
  if (value === "." || value === "..") return [`may not be '${value}'`];
  return ["/", "%"].filter((illegal) => value.includes(illegal)).map((illegal) => `may not contain '${illegal}'`);
}

/** An object's name with a generated suffix must also fit: upstream checks generateName with the trailing dash replaced. */
export const maskTrailingDash = (name: string): string =>
  name.length > 1 && name.endsWith("-") ? `${name.slice(0, -2)}a` : name;
