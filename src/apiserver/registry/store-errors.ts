// The store's errors as the API says them: upstream hands etcd's own texts on with status 500 and no reason.
import { apiError } from "#api";
import { StoreError } from "#store";

/** What the store answers, or the ApiError for what it could not do. Other errors pass. */
export async function translated<T>(answer: Promise<T> | T): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw error instanceof StoreError ? translate(error) : error;
  }
}

function translate(error: StoreError): Error {
  switch (error.code) {
    case "tooLarge":
      return apiError("", "etcdserver: request is too large");
    case "noSpace":
      return apiError("", "etcdserver: mvcc: database space exceeded");
    case "closed":
      return apiError("ServiceUnavailable", `the store is not available: ${error.message}`);
    case "unavailable":
    case "unknownOutcome":
      // The request's own time is over: upstream answers for itself, not for etcd.
      if (error.message === "context deadline exceeded")
        return apiError("Timeout", `Timeout: request did not complete within requested timeout - ${error.message}`);
      return apiError("", error.message);
    default:
      return error;
  }
}
