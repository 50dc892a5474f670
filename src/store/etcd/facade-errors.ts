// How the facade refuses a call.

/** gRPC's name of a status, with the message that clients match on. */
export class FacadeError extends Error {
  readonly status: string;
  constructor(status: string, message: string) {
    super(message);
    this.status = status;
  }
}
