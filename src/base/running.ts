// What every component's `start()` returns (D1).

export interface Running extends AsyncDisposable {
  /** Undefined when ready, otherwise a sentence that says what is missing. */
  ready(): string | undefined;
}
