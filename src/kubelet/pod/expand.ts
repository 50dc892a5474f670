// $(NAME) in commands, arguments and environment values.

/** Unknown names stay as they are; "$$" is a dollar sign. */
export function expand(text: string, lookUp: (name: string) => string | undefined): string {
  return text.replace(/\$\$|\$\(([^()]*)\)/g, (whole, name: string | undefined) => {
    if (whole === "$$") return "$";
    return name === undefined ? whole : (lookUp(name) ?? whole);
  });
}
