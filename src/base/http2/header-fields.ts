// Header fields, and the table of common ones that both sides of HTTP/2 know (RFC 7541 appendix A).

export interface HeaderField {
  readonly name: string;
  readonly value: string;
}

/** A field that a client has sent. */
export interface ReceivedField extends HeaderField {
  /** Its form is right, whatever it says: RFC 9113 section 8.2. Checked once, fields of the tables come again and again. */
  readonly sound: boolean;
}

const nameForm = /^:?[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const valueForm = /^[^\0\r\n]*$/;
/** They belong to HTTP/1.1. */
const ofConnections: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
]);

export function receivedField(name: string, value: string): ReceivedField {
  const sound =
    nameForm.test(name) && valueForm.test(value) && !ofConnections.has(name) && (name !== "te" || value === "trailers");
  return { name, value, sound };
}

/** What a field takes of a table or a list: RFC 7541 section 4.1. */
export const fieldBytes = ({ name, value }: HeaderField): number => name.length + value.length + 32;

const staticText = `:authority
:method GET
:method POST
:path /
:path /index.html
:scheme http
:scheme https
:status 200
:status 204
:status 206
:status 304
:status 400
:status 404
:status 500
accept-charset
accept-encoding gzip, deflate
accept-language
accept-ranges
accept
access-control-allow-origin
age
allow
authorization
cache-control
content-disposition
content-encoding
content-language
content-length
content-location
content-range
content-type
cookie
date
etag
expect
expires
from
host
if-match
if-modified-since
if-none-match
if-range
if-unmodified-since
last-modified
link
location
max-forwards
proxy-authenticate
proxy-authorization
range
referer
refresh
retry-after
server
set-cookie
strict-transport-security
transfer-encoding
user-agent
vary
via
www-authenticate`;

/** Index 1 of the wire is element 0. */
export const staticFields: readonly ReceivedField[] = staticText.split("\n").map((line) => {
  const space = line.indexOf(" ");
  return space < 0 ? receivedField(line, "") : receivedField(line.slice(0, space), line.slice(space + 1));
});
