// Why a port could not be listened on, as a sentence with the next step.

export interface ListenTarget {
  readonly address: string;
  readonly port: number;
  /** The flag that chooses the port: "--api-port". */
  readonly portFlag?: string | undefined;
}

/** For the "error" of a server that could not listen. */
export function cannotListen({ address, port, portFlag }: ListenTarget, error: NodeJS.ErrnoException): Error {
  const other = portFlag === undefined ? "" : `: choose another with ${portFlag}`;
  const reasons: Readonly<Record<string, string>> = {
    EADDRINUSE: `the port is taken${other}`,
    EACCES: `this user may not use the port${other}`,
    EADDRNOTAVAIL: "this machine has no such address",
  };
  return new Error(`Cannot listen on ${address}:${port}: ${reasons[error.code ?? ""] ?? error.message}`, { cause: error });
}
