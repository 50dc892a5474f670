// The one error of decoding: its text is upstream's, to be carried into a Status by the API server.

/** Bytes that are not what they should be. The message is what upstream's decoder says, without the server's prefix. */
export class DecodeError extends Error {
  override readonly name = "DecodeError";
}
