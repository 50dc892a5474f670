// Says what is wrong with a JSON text in the words of Go's encoding/json; runs only after JSON.parse has refused it.
import { DecodeError } from "./errors.ts";

/** The error for a text that is not JSON. */
export function jsonSyntaxError(text: string): DecodeError {
  const found = new Checker(text).run();
  return new DecodeError(found ?? "unexpected end of JSON input");
}

const endOfInput = "unexpected end of JSON input";

class Checker {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** undefined when nothing is wrong. Iterative: a text may be nested as deep as it likes. */
  run(): string | undefined {
    const stack: ("object" | "list")[] = [];
    let state: "value" | "valueOrEnd" | "keyOrEnd" | "key" | "after" = "value";
    for (;;) {
      this.#space();
      const char = this.#text[this.#at];
      if (state === "after" && stack.length === 0) return char === undefined ? undefined : this.#invalid("after top-level value");
      if (char === undefined) return endOfInput;
      if (state === "value" || state === "valueOrEnd") {
        if (state === "valueOrEnd" && char === "]") {
          this.#at++;
          stack.pop();
          state = "after";
        } else if (char === "{" || char === "[") {
          this.#at++;
          stack.push(char === "{" ? "object" : "list");
          state = char === "{" ? "keyOrEnd" : "valueOrEnd";
        } else {
          const problem = this.#scalar(char);
          if (problem !== undefined) return problem;
          state = "after";
        }
      } else if (state === "key" || state === "keyOrEnd") {
        if (state === "keyOrEnd" && char === "}") {
          this.#at++;
          stack.pop();
          state = "after";
          continue;
        }
        if (char !== '"') return this.#invalid("looking for beginning of object key string");
        const problem = this.#string();
        if (problem !== undefined) return problem;
        this.#space();
        if (this.#text[this.#at] === undefined) return endOfInput;
        if (this.#text[this.#at] !== ":") return this.#invalid("after object key");
        this.#at++;
        state = "value";
      } else {
        const object = stack.at(-1) === "object";
        if (char === ",") {
          this.#at++;
          state = object ? "key" : "value";
        } else if (char === (object ? "}" : "]")) {
          this.#at++;
          stack.pop();
        } else return this.#invalid(object ? "after object key:value pair" : "after array element");
      }
    }
  }

  #space(): void {
    while (/[ \t\r\n]/.test(this.#text[this.#at] ?? "")) this.#at++;
  }

  #scalar(char: string): string | undefined {
    if (char === '"') return this.#string();
    if (char === "-" || (char >= "0" && char <= "9")) return this.#number();
    for (const word of ["true", "false", "null"]) if (char === word[0]) return this.#word(word);
    return this.#invalid("looking for beginning of value");
  }

  #word(word: string): string | undefined {
    for (const letter of word) {
      if (this.#text[this.#at] === undefined) return endOfInput;
      if (this.#text[this.#at] !== letter) return this.#invalid(`in literal ${word} (expecting ${quote(letter)})`);
      this.#at++;
    }
    return undefined;
  }

  #number(): string | undefined {
    if (this.#text[this.#at] === "-") {
      this.#at++;
      if (this.#text[this.#at] === undefined) return endOfInput;
      if (!this.#isDigit()) return this.#invalid("in numeric literal");
    }
    if (this.#text[this.#at] === "0") this.#at++;
    else while (this.#isDigit()) this.#at++;
    if (this.#text[this.#at] === ".") {
      this.#at++;
      if (this.#text[this.#at] === undefined) return endOfInput;
      if (!this.#isDigit()) return this.#invalid("after decimal point in numeric literal");
      while (this.#isDigit()) this.#at++;
    }
    if (this.#text[this.#at] === "e" || this.#text[this.#at] === "E") {
      this.#at++;
      if (this.#text[this.#at] === "+" || this.#text[this.#at] === "-") this.#at++;
      if (this.#text[this.#at] === undefined) return endOfInput;
      if (!this.#isDigit()) return this.#invalid("in exponent of numeric literal");
      while (this.#isDigit()) this.#at++;
    }
    return undefined;
  }

  #isDigit(): boolean {
    const char = this.#text[this.#at];
    return char !== undefined && char >= "0" && char <= "9";
  }

  #string(): string | undefined {
    for (this.#at++; ; this.#at++) {
      const char = this.#text[this.#at];
      if (char === undefined) return endOfInput;
      if (char === '"') {
        this.#at++;
        return undefined;
      }
      if (char < " ") return this.#invalid("in string literal");
      if (char !== "\\") continue;
      this.#at++;
      const escaped = this.#text[this.#at];
      if (escaped === undefined) return endOfInput;
      if (escaped === "u") {
        for (let i = 0; i < 4; i++) {
          this.#at++;
          if (this.#text[this.#at] === undefined) return endOfInput;
          if (!/[0-9a-fA-F]/.test(this.#text[this.#at] ?? "")) return this.#invalid("in \\u hexadecimal character escape");
        }
      } else if (!'bfnrt\\/"'.includes(escaped)) return this.#invalid("in string escape code");
    }
  }

  // Go looks at bytes: a character beyond ASCII is named by the first byte of its UTF-8
  #invalid(context: string): string {
    const code = this.#text.codePointAt(this.#at) ?? 0;
    const first = Buffer.from(String.fromCodePoint(code), "utf8")[0] ?? 0;
    return `invalid character ${quote(String.fromCharCode(first))} ${context}`;
  }
}

const escapes: Readonly<Record<string, string>> = {
  "\u0007": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  "\\": "\\\\",
  "'": "\\'",
};

/** A character as Go quotes it. */
function quote(char: string): string {
  const code = char.charCodeAt(0);
  if (char === '"') return `'"'`;
  const escaped = escapes[char];
  if (escaped !== undefined) return `'${escaped}'`;
  if (code < 0x20 || code === 0x7f) return `'\\x${code.toString(16).padStart(2, "0")}'`;
  if (code >= 0x80 && code < 0xa0) return `'\\u${code.toString(16).padStart(4, "0")}'`;
  return `'${char}'`;
}
